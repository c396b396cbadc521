import { describe, expect, test } from 'vitest';
import type { Refusal } from '../../../contracts/messages.ts';
import { startApi } from '../../testing/api.ts';
import { emptyCatalogue, type FakeAnswers, orderRecord } from '../../testing/fakes.ts';

const PENCIL = { itemId: 'pencil', name: 'Pencil', unitAmountMinor: 100, currency: 'USD', available: 100 };
const BOOK = { itemId: 'book', name: 'Book', unitAmountMinor: 500, currency: 'USD', available: 3 };
const LAMP = { itemId: 'lamp', name: 'Lamp', unitAmountMinor: 2000, currency: 'USD', available: 0 };
const KEY = '5e2f8f6a-3a31-4f10-9c0e-0d8f8a2b7c11';
const GUEST = `guest-${'a'.repeat(32)}`;
const OURS = { 'sec-fetch-site': 'same-origin' };

async function openShop(answers: FakeAnswers = {}) {
  const catalogue = { ...emptyCatalogue(), listItemsOnSale: async () => [BOOK, LAMP, PENCIL] };
  const { api, ...fakes } = await startApi({ catalogue, ...answers }, { shopPage: true });
  return {
    ...fakes,
    open: (headers: Record<string, string> = {}, url = '/') => api.inject({ url, headers }),
    order: (fields: Record<string, string>, headers: Record<string, string> = OURS) =>
      api.inject({
        method: 'POST',
        url: '/',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        payload: new URLSearchParams({ key: KEY, guest: GUEST, ...fields }).toString(),
      }),
  };
}

function refusing(refusal: Refusal): Pick<FakeAnswers, 'create'> {
  return { create: async ({ requestHash }) => ({ requestHash, traceId: '7'.repeat(32), refusal }) };
}

function hiddenField(page: string, name: string): string | undefined {
  return new RegExp(`name="${name}" value="(?<value>[^"]+)"`).exec(page)?.groups?.['value'];
}

describe('the shop page', () => {
  test('is there only if a setting says so', async () => {
    const { api } = await startApi();
    expect((await api.inject({ url: '/' })).statusCode).toBe(404);
    expect((await api.inject({ method: 'POST', url: '/' })).statusCode).toBe(404);
  });

  test('shows what is on sale with its price and how much of it there is', async () => {
    const { open } = await openShop();
    const { statusCode, body, headers } = await open();
    expect(statusCode).toBe(200);
    for (const text of ['Pencil', '$1.00 each', 'In stock', 'Only 3 left', 'Lamp', 'Out of stock']) {
      expect(body).toContain(text);
    }
    expect(body).not.toContain('quantity:lamp');
    expect(headers).toMatchObject({ 'cache-control': 'no-store' });
    expect(headers['content-security-policy']).toContain("form-action 'self'");
  });

  test('has a new idempotency key each time', async () => {
    const { open } = await openShop();
    const [first, second] = [hiddenField((await open()).body, 'key'), hiddenField((await open()).body, 'key')];
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(second).not.toBe(first);
  });

  test('makes the order under its key, and leads on to the payment page', async () => {
    const { order, created } = await openShop();
    const response = await order({ 'quantity:pencil': '2', 'quantity:book': '' });
    expect(response.statusCode).toBe(303);
    expect(created).toMatchObject([{ customerId: GUEST, keyed: true, lines: [{ itemId: 'pencil', quantity: 2 }] }]);
    const { orderId } = created[0]!;
    expect(response.headers['location']).toBe(`/payment?customer-id=${GUEST}&order-id=${orderId}`);
    expect(String(response.headers['set-cookie'])).toContain(`guest=${GUEST}`);
  });

  test('makes one order of a form that is sent twice, cookies or not', async () => {
    const { order, created } = await openShop();
    await order({ 'quantity:pencil': '2' });
    await order({ 'quantity:pencil': '2' }, { ...OURS, cookie: `guest=${GUEST}` });
    expect(new Set(created.map(({ orderId }) => orderId)).size).toBe(1);
  });

  test.each(['customer-1', 'guest-1', `guest-${'A'.repeat(32)}`])(
    'orders for nobody but a guest of its own: %s',
    async (name) => {
      const { order, created } = await openShop();
      await order({ guest: name, 'quantity:pencil': '1' }, { ...OURS, cookie: `guest=${name}` });
      expect(created[0]?.customerId).toMatch(/^guest-[0-9a-f]{32}$/);
      expect(created[0]?.customerId).not.toBe(name);
    },
  );

  test.each([
    [{}, 'Choose at least one item.'],
    [{ 'quantity:pencil': '0' }, 'Choose at least one item.'],
    [{ 'quantity:pencil': '-1' }, 'Enter a whole number from 0 to 10000.'],
    [{ 'quantity:pencil': '1.5' }, 'Enter a whole number from 0 to 10000.'],
    [{ 'quantity:pencil': '10001' }, 'Enter a whole number from 0 to 10000.'],
    [
      Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`quantity:item-${n}`, '1'])),
      'at most 50 different items',
    ],
  ])('says in place what is wrong with %o', async (fields, text) => {
    const { order, created } = await openShop();
    const response = await order(fields);
    expect(response.statusCode).toBe(422);
    expect(response.body).toContain(text);
    expect(created).toEqual([]);
  });

  test('keeps what was entered, and says at the item how many are left', async () => {
    const { order } = await openShop(
      refusing({ reason: 'outOfStock', shortages: [{ itemId: 'book', wanted: 9, available: 3 }] }),
    );
    const { statusCode, body } = await order({ 'quantity:book': '9', 'quantity:pencil': '2' });
    expect(statusCode).toBe(409);
    expect(body).toMatch(
      /<li>.*Book.*Only 3 are left now\. Enter a smaller number\.[^]*value="9"[^]*aria-invalid="true"/s,
    );
    expect(body).toContain('value="2"');
    // A refusal is kept under its key: the next try needs another one.
    expect(hiddenField(body, 'key')).not.toBe(KEY);
  });

  test.each<[Refusal, number, string]>([
    [{ reason: 'unknownItem', itemIds: ['pencil'], offSaleIds: ['pencil'] }, 422, 'no longer on sale'],
    [{ reason: 'mixedCurrencies', currencies: ['EUR', 'USD'] }, 400, 'an order for each currency'],
    [
      {
        reason: 'tooManyOrders',
        of: 'customer',
        limit: { maxOrders: 1 },
        open: { orders: 1, pieces: 1 },
        wantedPieces: 1,
        orderIds: [orderRecord().orderId],
      },
      429,
      `/payment?customer-id&#61;${GUEST}&#38;order-id&#61;${orderRecord().orderId}`,
    ],
    [
      {
        reason: 'tooManyOrders',
        of: 'address',
        limit: { maxOrders: 1 },
        open: { orders: 1, pieces: 1 },
        wantedPieces: 1,
        orderIds: [],
      },
      429,
      'from your connection',
    ],
  ])('tells a refusal in words: %o', async (refusal, status, text) => {
    const { order } = await openShop(refusing(refusal));
    const { statusCode, body } = await order({ 'quantity:pencil': '1' });
    expect(statusCode).toBe(status);
    expect(body).toContain(text);
  });

  test('asks again under the same key if the order may exist', async () => {
    const { order } = await openShop({
      create: () => Promise.reject(Object.assign(new Error('away'), { code: 'ECONNREFUSED' })),
    });
    const { statusCode, body } = await order({ 'quantity:pencil': '1' });
    expect(statusCode).toBe(503);
    expect(body).toContain('one order, not two');
    expect(hiddenField(body, 'key')).toBe(KEY);
  });

  test('says that another order was made from the same page before', async () => {
    const { order } = await openShop({
      create: async () => ({ requestHash: 'another', traceId: '7'.repeat(32), refusal: null }),
    });
    const { statusCode, body } = await order({ 'quantity:pencil': '1' });
    expect(statusCode).toBe(422);
    expect(body).toContain('You have ordered from this page before');
    expect(hiddenField(body, 'key')).not.toBe(KEY);
  });

  test('takes no order that another site sends', async () => {
    const { order, created } = await openShop();
    const response = await order({ 'quantity:pencil': '1' }, { 'sec-fetch-site': 'cross-site' });
    expect(response.statusCode).toBe(403);
    expect(created).toEqual([]);
  });

  test('escapes what it is given', async () => {
    const evil = '"><script>alert(1)</script>';
    const catalogue = { ...emptyCatalogue(), listItemsOnSale: async () => [{ ...PENCIL, itemId: evil, name: evil }] };
    const { order } = await openShop({ catalogue });
    const { body } = await order({ [`quantity:${evil}`]: evil, key: evil, guest: evil });
    expect(body).not.toContain('<script>alert');
  });
});

describe('the language of the shop page', () => {
  test.each([
    ['zh-CN,zh;q=0.9,en;q=0.8', '在这里下单'],
    ['en-GB,zh;q=0.5', 'Order here'],
    ['fr,zh;q=0.4,en;q=0.3', '在这里下单'],
    ['zh;q=0,en', 'Order here'],
    ['fr', 'Order here'],
    ['', 'Order here'],
  ])('is what the browser prefers: %s', async (acceptLanguage, title) => {
    const { open } = await openShop();
    expect((await open({ 'accept-language': acceptLanguage })).body).toContain(`<h1>${title}</h1>`);
  });

  test('can be switched, and stays', async () => {
    const { open } = await openShop();
    const english = await open();
    expect(english.body).toContain('<html lang="en-US">');
    expect(english.body).toContain('href="?lang&#61;zh"');
    const switched = await open({}, '/?lang=zh');
    expect(switched.body).toContain('<html lang="zh-CN">');
    expect(switched.body).toContain('每件 US$1.00');
    const [cookie = ''] = String(switched.headers['set-cookie']).split(';');
    expect((await open({ cookie, 'accept-language': 'en' })).body).toContain('在这里下单');
  });

  test('is not moved by nonsense', async () => {
    const { open } = await openShop();
    for (const url of ['/?lang=xx', '/?lang=zh&lang=zh', '/?lang=constructor']) {
      expect((await open({ cookie: 'lang=__proto__' }, url)).body).toContain('Order here');
    }
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { listItemChanges } from '../database/item-changes.ts';
import { newCustomer, PENCIL, startWorld, type World } from './support/world.ts';

const TOKEN = 'the operators of a shop';
const operator = { authorization: `Bearer ${TOKEN}` };
const ITEMS = '/api/operator/items';

type ItemView = Readonly<Record<string, unknown>>;

let world: World;
beforeAll(async () => {
  world = await startWorld({ OPERATOR_TOKEN: TOKEN });
});
afterAll(() => world.stop());

let itemId: string;
let count = 0;
beforeEach(() => {
  count += 1;
  itemId = `pen ${count}/%`;
});

async function send(method: string, path: string, body?: object, headers: object = operator) {
  const response = await fetch(`${world.config.publicUrl}${path}`, {
    method,
    headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as { data: ItemView | null; errorCode: number; message: string };
  return { status: response.status, ...answer };
}

const pen = (changes: object = {}) => ({
  item_id: itemId,
  name: 'Pen',
  unit_amount_minor: 150,
  currency: 'USD',
  available: 10,
  ...changes,
});
const add = (changes: object = {}) => send('POST', ITEMS, pen(changes));
const path = (step = '') => `${ITEMS}/${encodeURIComponent(itemId)}${step}`;
const patch = (body: object) => send('PATCH', path(), body);
const changeStock = (body: object) => send('POST', path('/stock'), body);
const order = (quantity = 1) => world.create(newCustomer(), [{ itemID: itemId, quantity }]);
async function listed(url: string): Promise<ItemView | undefined> {
  const { data } = await send('GET', url, undefined, url === ITEMS ? operator : {});
  return ((data?.['items'] ?? []) as ItemView[]).find((item) => item['item_id'] === itemId);
}

describe('an item', () => {
  test('is added, listed and ordered', async () => {
    const stock = { on_sale: true, held: 0, initial: 10, restocked: 0 };
    expect(await add()).toMatchObject({ status: 201, errorCode: 0, data: { ...pen(), ...stock } });
    expect(await listed('/api/items')).toEqual(pen());
    expect(await listed(ITEMS)).toEqual({ ...pen(), ...stock });
    expect(await order(4)).toMatchObject({ status: 200 });
    expect(await listed(ITEMS)).toMatchObject({ available: 6, held: 4 });
    expect((await listItemChanges(world.database, itemId, 9)).map(({ by }) => by)).toEqual(['OPERATOR_TOKEN']);
  });

  test('that is there is 3002, and stays as it is', async () => {
    await add();
    expect(await add({ name: 'Another' })).toMatchObject({ status: 409, errorCode: 3002, data: { item_id: itemId } });
    expect(await listed('/api/items')).toMatchObject({ name: 'Pen' });
  });

  test.each([
    ['a blank name', { name: ' \u00A0' }, 'name', 'blank'],
    ['a name of two lines', { name: 'Pen\nPencil' }, 'name', 'line breaks'],
    ['a NUL in its name', { name: 'Pen\u0000' }, 'name', 'control characters'],
    ['half a character in its name', { name: 'Pen \uD83D' }, 'name', 'surrogates'],
    ['a name of 251 characters', { name: 'x'.repeat(251) }, 'name', '250 characters'],
    ['no name', { name: undefined }, 'name', 'text'],
    ['the price 0', { unit_amount_minor: 0 }, 'unit_amount_minor', 'from 1 to 99999999'],
    ['the price 1.5', { unit_amount_minor: 1.5 }, 'unit_amount_minor', 'whole number'],
    ['nine digits', { unit_amount_minor: 100_000_000 }, 'unit_amount_minor', 'from 1 to 99999999'],
    ['a fraction of a shilling', { unit_amount_minor: 550, currency: 'UGX' }, 'unit_amount_minor', 'multiple of 100'],
    ['a third decimal', { unit_amount_minor: 5124, currency: 'KWD' }, 'unit_amount_minor', 'multiple of 10'],
    ['no currency that there is', { currency: 'QQQ' }, 'currency', 'ISO 4217'],
    ['a currency in small letters', { currency: 'usd' }, 'currency', 'capital letters'],
    ['less than nothing', { available: -1 }, 'available', 'from 0'],
    ['an id with a line break', { item_id: 'a\nb' }, 'item_id', 'printable ASCII'],
    ['an unknown field', { price: 5 }, 'body', 'unknown fields: price'],
  ])('with %s is refused, and the field named', async (_what, changes, field, says) => {
    expect(await add(changes)).toMatchObject({
      status: 400,
      errorCode: 1000,
      data: { fields: [{ path: field, problem: expect.stringContaining(says) }] },
    });
    expect(await listed(ITEMS)).toBeUndefined();
  });
});

describe('a change', () => {
  test('of the price is for new orders; one that exists keeps its price, its name and its payment', async () => {
    await add();
    const before = await order(2);
    const changed = await patch({ unit_amount_minor: 900, name: 'Fountain pen', reason: 'Gold went up.' });
    expect(changed).toMatchObject({ status: 200, data: { unit_amount_minor: 900, name: 'Fountain pen' } });
    const after = await order(2);
    const [old, young] = [await world.order(before.body.data.order_id), await world.order(after.body.data.order_id)];
    expect([old.totalAmountMinor, old.lines[0]?.name]).toEqual([300, 'Pen']);
    expect([young.totalAmountMinor, young.lines[0]?.name]).toEqual([1800, 'Fountain pen']);
    await world.pay(await world.untilStatus(old.orderId, 'WAITING_FOR_PAYMENT'));
    expect(await world.untilStatus(old.orderId, 'FINISHED')).toMatchObject({ keptAmountMinor: 300 });
    expect(await listItemChanges(world.database, itemId, 1)).toMatchObject([
      {
        by: 'OPERATOR_TOKEN',
        reason: 'Gold went up.',
        oldValues: { unitAmountMinor: 150, name: 'Pen' },
        newValues: { unitAmountMinor: 900, name: 'Fountain pen' },
      },
    ]);
  });

  test('to not on sale: nobody can order it, 3001 says so, and an order that exists goes on', async () => {
    await add();
    const { orderId } = await world.order((await order()).body.data.order_id);
    expect(await patch({ on_sale: false })).toMatchObject({ status: 200, data: { on_sale: false } });
    expect(await listed('/api/items')).toBeUndefined();
    expect(await order()).toMatchObject({
      status: 422,
      body: { errorCode: 3001, message: `Not on sale: ${itemId}`, data: { item_ids: [itemId] } },
    });
    await world.pay(await world.untilStatus(orderId, 'WAITING_FOR_PAYMENT'));
    await world.untilStatus(orderId, 'FINISHED');
    expect(await patch({ on_sale: true })).toMatchObject({ status: 200 });
    expect(await order()).toMatchObject({ status: 200 });
  });

  test.each([
    [{}, 'body', 'needs one of'],
    [{ reason: 'None.' }, 'body', 'needs one of'],
    [{ name: 'Pen', currency: 'EUR' }, 'body', 'unknown fields: currency'],
    [{ name: '' }, 'name', 'blank'],
    [{ unit_amount_minor: -5 }, 'unit_amount_minor', 'whole number'],
    [{ on_sale: 'no' }, 'on_sale', 'true or false'],
    [{ name: 'Pen', reason: 'a\u0000' }, 'reason', 'one line'],
  ])('like %j is refused', async (body, field, says) => {
    await add();
    expect(await patch(body)).toMatchObject({
      status: 400,
      errorCode: 1000,
      data: { fields: [{ path: field, problem: expect.stringContaining(says) }] },
    });
    expect(await listItemChanges(world.database, itemId, 9)).toHaveLength(1);
  });

  test('of the price is held against the currency of the item', async () => {
    await add({ currency: 'UGX', unit_amount_minor: 500 });
    expect(await patch({ unit_amount_minor: 550 })).toMatchObject({
      status: 400,
      data: { fields: [{ path: 'unit_amount_minor', problem: expect.stringContaining('multiple of 100') }] },
    });
  });
});

describe('stock', () => {
  test('comes in and is taken out, each with its reason', async () => {
    await add();
    expect(await changeStock({ change: 5, reason: 'Delivery.' })).toMatchObject({
      status: 200,
      data: { available: 15, initial: 10, restocked: 5 },
    });
    expect(await changeStock({ change: -12, reason: 'Counted.' })).toMatchObject({
      status: 200,
      data: { available: 3, initial: 10, restocked: -7 },
    });
    const reasons = (await listItemChanges(world.database, itemId, 9)).map(({ reason }) => reason);
    expect(reasons).toEqual(['Counted.', 'Delivery.', null]);
  });

  test('never goes below what is there: 3000, with what is available', async () => {
    await add();
    await order(4);
    const refused = await changeStock({ change: -7, reason: 'Counted.' });
    expect(refused).toMatchObject({
      status: 409,
      errorCode: 3000,
      data: { items: [{ item_id: itemId, wanted: 7, available: 6 }] },
    });
    expect(refused.message).toContain('6 are available; 4 more are held by orders');
    expect(await listed(ITEMS)).toMatchObject({ available: 6, restocked: 0 });
  });

  test.each([
    [{ change: 1 }, 'reason'],
    [{ change: 0, reason: 'Nothing.' }, 'change'],
    [{ change: 1.5, reason: 'Half.' }, 'change'],
    [{ change: 1_000_001, reason: 'Much.' }, 'change'],
    [{ change: '5', reason: 'Text.' }, 'change'],
    [{ reason: 'What?' }, 'change'],
  ])('does not change by %j', async (body, field) => {
    await add();
    expect(await changeStock(body)).toMatchObject({ status: 400, data: { fields: [{ path: field }] } });
    expect(await listed(ITEMS)).toMatchObject({ available: 10 });
  });
});

describe.each([
  ['GET', ITEMS, undefined],
  ['POST', ITEMS, {}],
  ['PATCH', `${ITEMS}/${PENCIL}`, { unit_amount_minor: 1 }],
  ['POST', `${ITEMS}/${PENCIL}/stock`, { change: 1, reason: 'Mine.' }],
])('%s %s', (method, url, body) => {
  test('is for operators alone', async () => {
    expect(await send(method, url, body, {})).toMatchObject({ status: 401, errorCode: 1004 });
    expect(await listItemChanges(world.database, PENCIL, 9)).toEqual([]);
  });
});

test.each(['nothing', '\u0000', 'ä', 'x'.repeat(300)])('an item %j that is none is 3003', async (unknown) => {
  itemId = unknown;
  expect(await patch({ on_sale: true })).toMatchObject({ status: 404, errorCode: 3003 });
  expect(await changeStock({ change: 1, reason: 'Found.' })).toMatchObject({ status: 404, errorCode: 3003 });
});

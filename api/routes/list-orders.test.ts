import { describe, expect, test } from 'vitest';
import type { OrderPage } from '../../database/order-pages.ts';
import { startApi } from '../testing/api.ts';
import { type FakeAnswers, orderRecord } from '../testing/fakes.ts';

const TOKEN = 'a-token-of-sixteen';
const { orderId, traceId } = orderRecord();
const POSITION = { createdAt: '2026-01-02T10:00:00.123456Z', orderId };

/** What a list answers; other answers are only compared. */
type Listed = { readonly orders: readonly object[]; readonly next_cursor: string | null };

async function start(answers: FakeAnswers = {}) {
  const { api: app, ...fakes } = await startApi(answers, { operatorToken: TOKEN });
  const get = async (url: string, token = TOKEN) => {
    const response = await app.inject({ url, headers: { authorization: `Bearer ${token}` } });
    const body = response.json<{ data: Listed; errorCode: number; message: string; traceID: string }>();
    return { status: response.statusCode, ...body };
  };
  return { ...fakes, get };
}

function pageOf(changes: Partial<OrderPage> = {}): OrderPage {
  return { orders: [orderRecord({ status: 'PAID' })], next: undefined, ...changes };
}

const ROUTES = [
  { route: "a customer's orders", url: '/api/customer/customer-1/orders', filter: { customerId: 'customer-1' } },
  { route: "the operators' orders", url: '/api/operator/orders', filter: {} },
];

describe.each(ROUTES)('$route', ({ url, filter }) => {
  test('are listed as the contract has it', async () => {
    const { get, listed } = await start({ page: pageOf() });
    const { data, ...answer } = await get(url);
    expect(answer).toMatchObject({ status: 200, errorCode: 0 });
    expect(data.next_cursor).toBeNull();
    expect(data.orders[0]).toMatchObject({
      order_id: orderId,
      status: 'PAID',
      total_amount_minor: 4500,
      currency: 'USD',
      created_at: '2026-01-02T10:00:00.000Z',
      updated_at: '2026-01-02T10:00:00.000Z',
    });
    expect(listed).toEqual([{ ...filter, limit: 20 }]);
  });

  test('go on where the cursor of a page says, to the microsecond', async () => {
    const { get, listed } = await start({ page: pageOf({ next: POSITION }) });
    const { data } = await get(`${url}?status=PAID&limit=1`);
    expect(data.next_cursor).toMatch(/^[\w-]+$/);
    await get(`${url}?status=PAID&limit=100&cursor=${data.next_cursor}`);
    expect(listed[1]).toEqual({ ...filter, status: 'PAID', limit: 100, after: POSITION });
  });

  test.each([
    ['limit=0', 'limit', '1 to 100'],
    ['limit=101', 'limit', '1 to 100'],
    ['limit=0x10', 'limit', '1 to 100'],
    ['limit=', 'limit', '1 to 100'],
    ['limit=5&limit=6', 'limit', '1 to 100'],
    ['status=PAYED', 'status', ''],
    ['cursor=AAAA', 'cursor', 'next_cursor'],
    [`cursor=${Buffer.from(`2026-13-02T10:00:00.123456Z ${orderId}`).toString('base64url')}`, 'cursor', 'next_cursor'],
    [`cursor=${Buffer.from(`0000-01-02T10:00:00.123456Z ${orderId}`).toString('base64url')}`, 'cursor', 'next_cursor'],
    ['price=1', 'query', 'unknown parameters: price'],
  ])('are not listed for ?%s', async (query, field, says) => {
    const { get, listed } = await start();
    expect(await get(`${url}?${query}`)).toMatchObject({
      status: 400,
      errorCode: 1000,
      message: expect.stringContaining(says),
      data: { fields: [{ path: field }] },
    });
    expect(listed).toEqual([]);
  });
});

test("a customer's list does not tell whose it is, the operators' does", async () => {
  const { get } = await start({ page: pageOf() });
  expect((await get('/api/customer/customer-1/orders')).data.orders[0]).not.toHaveProperty('customer_id');
  expect((await get('/api/operator/orders')).data.orders[0]).toHaveProperty('customer_id', 'customer-1');
});

test("the operators' filters can be combined", async () => {
  const { get, listed } = await start();
  const from = '2026-01-01T00:00:00+02:00';
  const query = new URLSearchParams({
    order_id: orderId,
    customer: 'c',
    payment_intent: 'pi_1',
    checkout_session: 'cs_1',
    tracking_number: 't',
    created_from: from,
    created_to: '2026-01-02T00:00:00Z',
  });
  expect(await get(`/api/operator/orders?${query.toString()}`)).toMatchObject({ status: 200 });
  expect(listed).toEqual([
    {
      orderId,
      customerId: 'c',
      paymentIntentId: 'pi_1',
      checkoutSessionId: 'cs_1',
      trackingNumber: 't',
      createdFrom: new Date(from),
      createdTo: new Date('2026-01-02T00:00:00Z'),
      limit: 20,
    },
  ]);
});

test.each(['created_from=yesterday', 'created_to=2026-01-02', 'customer=%00', 'tracking_number='])(
  "the operators' orders are not listed for ?%s",
  async (query) => {
    const { get, listed } = await start();
    expect(await get(`/api/operator/orders?${query}`)).toMatchObject({ status: 400, errorCode: 1000 });
    expect(listed).toEqual([]);
  },
);

describe('an order for operators', () => {
  const url = `/api/operator/orders/${orderId}`;

  test('has what finds it elsewhere, whoever its customer is', async () => {
    const { get } = await start({ orders: [orderRecord({ paymentIntentId: 'pi_1' })] });
    expect(await get(url)).toMatchObject({
      status: 200,
      data: { order_id: orderId, payment_intent_id: 'pi_1', trace_id: traceId },
      traceID: traceId,
    });
  });

  test.each(['f'.repeat(24), 'x', '%0d%0a'])('is 2000 for %s', async (id) => {
    const { get } = await start();
    expect(await get(`/api/operator/orders/${id}`)).toMatchObject({ status: 404, errorCode: 2000 });
  });
});

test.each(['/api/operator/orders', `/api/operator/orders/${orderId}`])('%s is for operators alone', async (url) => {
  const { get, listed } = await start({ orders: [orderRecord()] });
  expect(await get(url, 'another-token-of-16')).toMatchObject({ status: 401, errorCode: 1004, data: null });
  expect(listed).toEqual([]);
});

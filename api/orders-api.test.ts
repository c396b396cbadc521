import { WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client';
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import type { Refusal } from '../contracts/messages.ts';
import { requestHash } from './order-id.ts';
import { createOrdersApp } from './orders-api.ts';
import { fakeDependencies, orderRecord } from './testing/fakes.ts';

const CUSTOMER = 'customer-1';
const PENCIL = 'prod_SNjRcpjxpiazxk';
const ONE_PENCIL = { customerID: CUSTOMER, items: [{ itemID: PENCIL, quantity: 1 }] };

let app: FastifyInstance | undefined;
afterEach(async () => {
  await app?.close();
});

async function start(answers: Parameters<typeof fakeDependencies>[0] = {}, requestsPerMinute = 1000) {
  const fakes = fakeDependencies(answers);
  app = await createOrdersApp({ ...fakes.dependencies, checks: {}, requestsPerMinute, trustedProxies: [] });
  const api = app;
  return {
    ...fakes,
    api,
    create: (payload: unknown, headers: Record<string, string> = {}, customer = CUSTOMER) =>
      api.inject({
        method: 'POST',
        url: `/api/customer/${encodeURIComponent(customer)}/create`,
        headers: { 'content-type': 'application/json', ...headers },
        payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
      }),
    read: (orderId: string, customer = CUSTOMER, headers = {}) =>
      api.inject({ url: `/api/customer/${customer}/orders/${orderId}`, headers }),
    cancel: (orderId: string) =>
      api.inject({ method: 'POST', url: `/api/customer/${CUSTOMER}/orders/${orderId}/cancel` }),
  };
}

describe('create', () => {
  it('merges the lines of one item and answers in the envelope', async () => {
    const { create, created } = await start();
    const response = await create({
      customerID: CUSTOMER,
      items: [
        { itemID: PENCIL, quantity: 5 },
        { itemID: 'prod_SNjQpQjNC8QuaD', quantity: 5 },
        { itemID: PENCIL, quantity: 15 },
      ],
    });
    expect(response.statusCode).toBe(200);
    const orderId = created[0]!.orderId;
    expect(orderId).toMatch(/^[0-9a-f]{24}$/);
    expect(response.json()).toEqual({
      data: {
        customer_id: CUSTOMER,
        order_id: orderId,
        redirect_url: `http://shop.example:8101/payment?customer-id=${CUSTOMER}&order-id=${orderId}`,
      },
      errorCode: 0,
      message: 'success',
      traceID: '7'.repeat(32),
    });
    expect(created[0]).toMatchObject({
      customerId: CUSTOMER,
      keyed: false,
      lines: [
        { itemId: PENCIL, quantity: 20 },
        { itemId: 'prod_SNjQpQjNC8QuaD', quantity: 5 },
      ],
      successUrl: `http://shop.example:8101/payment/return?customer-id=${CUSTOMER}&order-id=${orderId}`,
    });
  });

  it.each([
    ['an unknown field', { ...ONE_PENCIL, price: 1 }, 'body', 'price'],
    [
      'an unknown field of a line',
      { ...ONE_PENCIL, items: [{ itemID: PENCIL, quantity: 1, price: 1 }] },
      'items[0]',
      'price',
    ],
    ['no items', { ...ONE_PENCIL, items: [] }, 'items', '1 to 50'],
    ['items that are no list', { ...ONE_PENCIL, items: 'x' }, 'items', '1 to 50'],
    ['51 lines', { ...ONE_PENCIL, items: Array.from({ length: 51 }, () => ONE_PENCIL.items[0]) }, 'items', '1 to 50'],
    ['quantity 0', lineOf(0), 'items[0].quantity', 'whole number'],
    ['quantity -1', lineOf(-1), 'items[0].quantity', 'whole number'],
    ['quantity 1.5', lineOf(1.5), 'items[0].quantity', 'whole number'],
    ['quantity 1e9', lineOf(1e9), 'items[0].quantity', 'whole number'],
    ['a quantity beyond what a number holds', lineOf(1e300), 'items[0].quantity', 'whole number'],
    ['quantity "5"', lineOf('5'), 'items[0].quantity', 'whole number'],
    ['no itemID', { ...ONE_PENCIL, items: [{ quantity: 1 }] }, 'items[0].itemID', '1 to 128'],
    [
      'lines of one item that are too much together',
      { ...ONE_PENCIL, items: [lineOf(9_000).items[0], lineOf(1_001).items[0]] },
      'items[1].quantity',
      '10001',
    ],
    ['another customerID than the path', { ...ONE_PENCIL, customerID: 'customer-2' }, 'customerID', 'path'],
    ['a customerID that is no text', { ...ONE_PENCIL, customerID: 7 }, 'customerID', '1 to 128'],
    ['a list', [], 'body', 'object'],
    ['null', 'null', 'body', 'object'],
    ['broken JSON', '{"customerID":\n  "a",, }', 'body', 'line 2, column 7'],
    ['JSON that ends early', '{"customerID":', 'body', 'line 1, column 15'],
    ['nothing', '', 'body', 'empty'],
    ['a poisoned prototype', '{"__proto__":{"a":1},"customerID":"customer-1","items":[]}', 'body', ''],
  ])('refuses %s', async (_name, payload, path, problem) => {
    const { create, created } = await start();
    const response = await create(payload);
    expect(response.json()).toMatchObject({ errorCode: 1000, data: { fields: [{ path }] } });
    expect(response.statusCode).toBe(400);
    expect(response.json<{ message: string }>().message).toContain(path);
    expect(response.json<{ message: string }>().message).toContain(problem);
    expect(created).toEqual([]);
  });

  it('refuses a body over 64 KB, and one that is not JSON', async () => {
    const { create } = await start();
    const large = await create({ ...ONE_PENCIL, filler: 'x'.repeat(64 * 1024) });
    expect([large.statusCode, large.json<{ errorCode: number }>().errorCode]).toEqual([413, 1001]);
    const form = await create('a=1', { 'content-type': 'application/x-www-form-urlencoded' });
    expect([form.statusCode, form.json<{ errorCode: number }>().errorCode]).toEqual([415, 1002]);
    const text = await create(JSON.stringify(ONE_PENCIL), { 'content-type': 'text/plain' });
    expect([text.statusCode, text.json<{ errorCode: number }>().errorCode]).toEqual([415, 1002]);
  });

  it.each(['', 'x'.repeat(256), 'ключ'])('refuses the idempotency key %j', async (key) => {
    const { create } = await start();
    const response = await create(ONE_PENCIL, { 'idempotency-key': key });
    expect(response.json()).toMatchObject({ errorCode: 1000, data: { fields: [{ path: 'idempotency-key' }] } });
  });

  it('takes customer ids of 128 characters with all that ASCII has', async () => {
    const { create } = await start();
    const customer = '/ %?#"'.padEnd(128, '~');
    const response = await create({ ...ONE_PENCIL, customerID: customer }, {}, customer);
    expect(response.statusCode).toBe(200);
    const redirect = new URL(response.json<{ data: { redirect_url: string } }>().data.redirect_url);
    expect(redirect.searchParams.get('customer-id')).toBe(customer);
    const tooLong = await create({ ...ONE_PENCIL, customerID: `${customer}x` }, {}, `${customer}x`);
    expect(tooLong.json()).toMatchObject({
      errorCode: 1000,
      data: { fields: [{ path: 'customerID' }, { path: 'customerID' }].slice(0, 1) },
    });
  });

  it.each<[Refusal, number, number, unknown]>([
    [
      { reason: 'outOfStock', shortages: [{ itemId: PENCIL, wanted: 3, available: 2 }] },
      409,
      3000,
      { items: [{ item_id: PENCIL, wanted: 3, available: 2 }] },
    ],
    [{ reason: 'unknownItem', itemIds: ['prod_x'] }, 422, 3001, { item_ids: ['prod_x'] }],
    [{ reason: 'mixedCurrencies', currencies: ['EUR', 'USD'] }, 400, 1000, { fields: [{ path: 'items' }] }],
    [{ reason: 'tooLate' }, 503, 5001, null],
  ])('answers the refusal %j', async (refusal, statusCode, errorCode, data) => {
    const traceId = '9'.repeat(32);
    const { create } = await start({ create: async (input) => ({ requestHash: input.requestHash, traceId, refusal }) });
    const response = await create(ONE_PENCIL);
    expect(response.statusCode).toBe(statusCode);
    expect(response.json()).toMatchObject({ errorCode, data, traceID: traceId });
  });

  it('answers a key that comes again from the order, and another request under it with 2002', async () => {
    const made = await start();
    await made.create(ONE_PENCIL, { 'idempotency-key': 'key' });
    const { orderId } = made.created[0]!;
    await app?.close();

    const hash = requestHash(CUSTOMER, [{ itemId: PENCIL, quantity: 1 }]);
    const order = orderRecord({ orderId, requestHash: hash, status: 'FINISHED' });
    const { create, created } = await start({ orders: [order] });
    const again = await create(ONE_PENCIL, { 'idempotency-key': 'key' });
    expect(again.json()).toMatchObject({ data: { order_id: orderId }, traceID: order.traceId, errorCode: 0 });
    const other = await create(lineOf(2), { 'idempotency-key': 'key' });
    expect([other.statusCode, other.json<{ errorCode: number }>().errorCode]).toEqual([422, 2002]);
    expect(created).toEqual([]);
  });

  it('compares the request with the one that the workflow answered to, refusals included', async () => {
    const { create } = await start({
      create: async () => ({ requestHash: 'another', traceId: '1'.repeat(32), refusal: { reason: 'tooLate' } }),
    });
    const response = await create(ONE_PENCIL, { 'idempotency-key': 'key' });
    expect(response.json()).toMatchObject({ errorCode: 2002 });
  });

  it('answers 503 with the order id where the deadline passes', async () => {
    const { create, created } = await start({
      create: () => Promise.reject(new WorkflowUpdateRPCTimeoutOrCancelledError('deadline')),
    });
    const response = await create(ONE_PENCIL, { 'idempotency-key': 'key' });
    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({ errorCode: 5001, data: { order_id: created[0]!.orderId } });
    expect(response.json<{ message: string }>().message).toContain('same Idempotency-Key');
  });

  it('tells nothing of a fault of ours but the order id', async () => {
    const { create, created } = await start({ create: () => Promise.reject(new Error('secret detail')) });
    const response = await create(ONE_PENCIL);
    expect(response.statusCode).toBe(500);
    expect(response.json()).toMatchObject({ errorCode: 5000, data: { order_id: created[0]!.orderId } });
    expect(response.body).not.toContain('secret detail');
  });
});

describe('read', () => {
  it('gives the order as the contract has it', async () => {
    const order = orderRecord({ status: 'WAITING_FOR_PAYMENT', paymentLink: 'http://pay.example/1' });
    const { read } = await start({ orders: [order] });
    const response = await read(order.orderId);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      data: {
        order_id: order.orderId,
        customer_id: CUSTOMER,
        status: 'WAITING_FOR_PAYMENT',
        items: [
          { item_id: PENCIL, name: 'Pencil', quantity: 20, unit_amount_minor: 100 },
          { item_id: 'prod_SNjQpQjNC8QuaD', name: 'Book', quantity: 5, unit_amount_minor: 500 },
        ],
        total_amount_minor: 4500,
        currency: 'USD',
        payment_link: 'http://pay.example/1',
        created_at: '2026-01-02T10:00:00.000Z',
        updated_at: '2026-01-02T10:00:00.000Z',
        timeline: [{ at: '2026-01-02T10:00:00.000Z', event: 'order.created', detail: 'The order was made.' }],
      },
      traceID: order.traceId,
    });
    // Nothing that is only ours leaves.
    expect(response.body).not.toMatch(/requestHash|request_hash|run_id|payment_intent/);
  });

  it('answers 304 to who has it already, until it changes', async () => {
    const order = orderRecord();
    const { read, orders } = await start({ orders: [order] });
    const etag = String((await read(order.orderId)).headers['etag']);
    const again = await read(order.orderId, CUSTOMER, { 'if-none-match': etag });
    expect([again.statusCode, again.body]).toEqual([304, '']);
    orders.set(order.orderId, { ...order, status: 'CANCELLED' });
    expect((await read(order.orderId, CUSTOMER, { 'if-none-match': etag })).statusCode).toBe(200);
  });

  it.each([
    ["another customer's order", orderRecord().orderId, 'customer-2'],
    ['an unknown order', 'f'.repeat(24), CUSTOMER],
    ['an id that is none', 'x', CUSTOMER],
    ['an id with control characters', '%0d%0aSet-Cookie:a=1', CUSTOMER],
  ])('answers 2000 for %s', async (_name, orderId, customer) => {
    const { read } = await start({ orders: [orderRecord()] });
    const response = await read(orderId, customer);
    expect([response.statusCode, response.json<{ errorCode: number }>().errorCode]).toEqual([404, 2000]);
  });
});

describe('cancel', () => {
  it('asks the workflow, and answers with the order as it ended', async () => {
    const order = orderRecord({ status: 'WAITING_FOR_PAYMENT' });
    const world = await start({
      orders: [order],
      cancel: async (orderId) => {
        world.orders.set(orderId, orderRecord({ status: 'CANCELLED' }));
        return { outcome: 'ended', result: { status: 'CANCELLED' } };
      },
    });
    const response = await world.cancel(order.orderId);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ data: { status: 'CANCELLED' }, errorCode: 0 });
  });

  it('answers 202 where the end takes longer', async () => {
    const order = orderRecord({ status: 'WAITING_FOR_PAYMENT' });
    const { cancel } = await start({ orders: [order], cancel: async () => ({ outcome: 'underWay' }) });
    const response = await cancel(order.orderId);
    expect(response.statusCode).toBe(202);
    expect(response.json()).toMatchObject({ data: { status: 'WAITING_FOR_PAYMENT' }, errorCode: 0 });
  });

  it('answers 2001 and why where the workflow refuses', async () => {
    const { cancel } = await start({
      orders: [orderRecord({ status: 'PAID' })],
      cancel: async () => ({ outcome: 'refused', why: 'it is being shipped' }),
    });
    const response = await cancel(orderRecord().orderId);
    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ errorCode: 2001 });
    expect(response.json<{ message: string }>().message).toContain('it is being shipped');
  });

  it.each(['CANCELLED', 'EXPIRED', 'REFUNDED'] as const)('answers %s from the row', async (status) => {
    const { cancel, cancelled } = await start({ orders: [orderRecord({ status })] });
    const response = await cancel(orderRecord().orderId);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ data: { status } });
    expect(cancelled).toEqual([]);
  });

  it('answers 2001 for an order that its customer has', async () => {
    const { cancel } = await start({ orders: [orderRecord({ status: 'FINISHED' })] });
    expect((await cancel(orderRecord().orderId)).json()).toMatchObject({ errorCode: 2001 });
  });

  it('answers 5001 where there is no workflow and the row says that it goes on', async () => {
    const { cancel } = await start({ orders: [orderRecord()] });
    expect((await cancel(orderRecord().orderId)).json()).toMatchObject({ errorCode: 5001 });
  });
});

describe('the rest', () => {
  it.each([
    ['GET', '/'],
    ['GET', '/api/customer/a/create'],
    ['DELETE', `/api/customer/a/orders/${'0'.repeat(24)}`],
  ] as const)('answers 1003 for %s %s', async (method, url) => {
    const { api } = await start();
    const response = await api.inject({ method, url });
    expect([response.statusCode, response.json<{ errorCode: number }>().errorCode]).toEqual([404, 1003]);
  });

  it('answers in the envelope for a path that cannot be decoded', async () => {
    const { api } = await start();
    const response = await api.inject({ url: '/api/customer/%zz/orders/a' });
    expect([response.statusCode, response.json<{ errorCode: number }>().errorCode]).toEqual([400, 1000]);
  });

  it('answers 1006 beyond the limit of requests, and says when to come again', async () => {
    const { read } = await start({}, 2);
    await read('a');
    await read('a');
    const response = await read('a');
    expect([response.statusCode, response.json<{ errorCode: number }>().errorCode]).toEqual([429, 1006]);
    expect(response.headers['retry-after']).toBeDefined();
  });
});

function lineOf(quantity: unknown) {
  return { customerID: CUSTOMER, items: [{ itemID: PENCIL, quantity }] };
}

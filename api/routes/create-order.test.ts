import { WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import type { Refusal } from '../../contracts/messages.ts';
import { requestHash } from '../order-id.ts';
import { CUSTOMER, startApi } from '../testing/api.ts';
import { orderRecord } from '../testing/fakes.ts';

const PENCIL = 'prod_SNjRcpjxpiazxk';
const ONE_PENCIL = { customerID: CUSTOMER, items: [{ itemID: PENCIL, quantity: 1 }] };

describe('creating an order', () => {
  test('merges the lines of one item and answers in the envelope', async () => {
    const { create, created } = await startApi();
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

  test.each([
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
    const { create, created } = await startApi();
    const response = await create(payload);
    expect(response.json()).toMatchObject({ errorCode: 1000, data: { fields: [{ path }] } });
    expect(response.statusCode).toBe(400);
    expect(response.json<{ message: string }>().message).toContain(path);
    expect(response.json<{ message: string }>().message).toContain(problem);
    expect(created).toEqual([]);
  });

  test('refuses a body over 64 KB, and one that is not JSON', async () => {
    const { create } = await startApi();
    const large = await create({ ...ONE_PENCIL, filler: 'x'.repeat(64 * 1024) });
    expect([large.statusCode, large.json<{ errorCode: number }>().errorCode]).toEqual([413, 1001]);
    const form = await create('a=1', { 'content-type': 'application/x-www-form-urlencoded' });
    expect([form.statusCode, form.json<{ errorCode: number }>().errorCode]).toEqual([415, 1002]);
    const text = await create(JSON.stringify(ONE_PENCIL), { 'content-type': 'text/plain' });
    expect([text.statusCode, text.json<{ errorCode: number }>().errorCode]).toEqual([415, 1002]);
  });

  test.each(['', 'x'.repeat(256), 'ключ'])('refuses the idempotency key %j', async (key) => {
    const { create } = await startApi();
    const response = await create(ONE_PENCIL, { 'idempotency-key': key });
    expect(response.json()).toMatchObject({ errorCode: 1000, data: { fields: [{ path: 'idempotency-key' }] } });
  });

  test('takes customer ids of 128 characters with all that ASCII has', async () => {
    const { create } = await startApi();
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

  test.each<[Refusal, number, number, unknown]>([
    [
      { reason: 'outOfStock', shortages: [{ itemId: PENCIL, wanted: 3, available: 2 }] },
      409,
      3000,
      { items: [{ item_id: PENCIL, wanted: 3, available: 2 }] },
    ],
    [{ reason: 'unknownItem', itemIds: ['prod_x'] }, 422, 3001, { item_ids: ['prod_x'] }],
    [{ reason: 'mixedCurrencies', currencies: ['EUR', 'USD'] }, 400, 1000, { fields: [{ path: 'items' }] }],
    [{ reason: 'tooLate' }, 503, 5001, null],
    [
      {
        reason: 'tooManyOrders',
        of: 'customer',
        limit: { maxOrders: 2 },
        open: { orders: 2, pieces: 7 },
        wantedPieces: 1,
        orderIds: ['a'.repeat(24)],
      },
      429,
      2003,
      {
        of: 'customer',
        limit: { orders: 2, pieces: null },
        open: { orders: 2, pieces: 7 },
        wanted_pieces: 1,
        order_ids: ['a'.repeat(24)],
      },
    ],
  ])('answers the refusal %j', async (refusal, statusCode, errorCode, data) => {
    const traceId = '9'.repeat(32);
    const { create } = await startApi({
      create: async (input) => ({ requestHash: input.requestHash, traceId, refusal }),
    });
    const response = await create(ONE_PENCIL);
    expect(response.statusCode).toBe(statusCode);
    expect(response.json()).toMatchObject({ errorCode, data, traceID: traceId });
  });

  test('answers a key that comes again from the order, and another request under it with 2002', async () => {
    const made = await startApi();
    await made.create(ONE_PENCIL, { 'idempotency-key': 'key' });
    const { orderId } = made.created[0]!;

    const hash = requestHash(CUSTOMER, [{ itemId: PENCIL, quantity: 1 }]);
    const order = orderRecord({ orderId, requestHash: hash, status: 'FINISHED' });
    const { create, created } = await startApi({ orders: [order] });
    const again = await create(ONE_PENCIL, { 'idempotency-key': 'key' });
    expect(again.json()).toMatchObject({ data: { order_id: orderId }, traceID: order.traceId, errorCode: 0 });
    const other = await create(lineOf(2), { 'idempotency-key': 'key' });
    expect([other.statusCode, other.json<{ errorCode: number }>().errorCode]).toEqual([422, 2002]);
    expect(created).toEqual([]);
  });

  test('compares the request with the one that the workflow answered to, refusals included', async () => {
    const { create } = await startApi({
      create: async () => ({ requestHash: 'another', traceId: '1'.repeat(32), refusal: { reason: 'tooLate' } }),
    });
    const response = await create(ONE_PENCIL, { 'idempotency-key': 'key' });
    expect(response.json()).toMatchObject({ errorCode: 2002 });
  });

  test('answers 503 with the order id if the deadline passes', async () => {
    const { create, created } = await startApi({
      create: () => Promise.reject(new WorkflowUpdateRPCTimeoutOrCancelledError('deadline')),
    });
    const response = await create(ONE_PENCIL, { 'idempotency-key': 'key' });
    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({ errorCode: 5001, data: { order_id: created[0]!.orderId } });
    expect(response.json<{ message: string }>().message).toContain('same Idempotency-Key');
  });

  test('tells nothing of a fault of ours but the order id', async () => {
    const { create, created } = await startApi({ create: () => Promise.reject(new Error('secret detail')) });
    const response = await create(ONE_PENCIL);
    expect(response.statusCode).toBe(500);
    expect(response.json()).toMatchObject({ errorCode: 5000, data: { order_id: created[0]!.orderId } });
    expect(response.body).not.toContain('secret detail');
  });
});

function lineOf(quantity: unknown) {
  return { customerID: CUSTOMER, items: [{ itemID: PENCIL, quantity }] };
}

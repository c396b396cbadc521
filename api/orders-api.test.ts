import { describe, expect, onTestFinished, test } from 'vitest';
import { ApiError } from './errors.ts';
import { createOrdersApp } from './orders-api.ts';
import { CUSTOMER, startApi } from './testing/api.ts';
import { fakeDependencies, orderRecord } from './testing/fakes.ts';

const PENCIL = 'prod_SNjRcpjxpiazxk';

describe('reading an order', () => {
  test('returns the order as the contract has it', async () => {
    const order = orderRecord({ status: 'WAITING_FOR_PAYMENT', paymentLink: 'http://pay.example/1' });
    const { read } = await startApi({ orders: [order] });
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

  test('answers 304 to a client that has it already, until it changes', async () => {
    const order = orderRecord();
    const { read, orders } = await startApi({ orders: [order] });
    const etag = String((await read(order.orderId)).headers['etag']);
    const again = await read(order.orderId, CUSTOMER, { 'if-none-match': etag });
    expect([again.statusCode, again.body]).toEqual([304, '']);
    orders.set(order.orderId, { ...order, status: 'CANCELLED' });
    expect((await read(order.orderId, CUSTOMER, { 'if-none-match': etag })).statusCode).toBe(200);
  });

  test.each([
    ["another customer's order", orderRecord().orderId, 'customer-2'],
    ['an unknown order', 'f'.repeat(24), CUSTOMER],
    ['an id that is none', 'x', CUSTOMER],
    ['an id with control characters', '%0d%0aSet-Cookie:a=1', CUSTOMER],
  ])('answers 2000 for %s', async (_name, orderId, customer) => {
    const { read } = await startApi({ orders: [orderRecord()] });
    const response = await read(orderId, customer);
    expect([response.statusCode, response.json<{ errorCode: number }>().errorCode]).toEqual([404, 2000]);
  });
});

describe('cancelling an order', () => {
  test('asks the workflow, and answers with the order as it ended', async () => {
    const order = orderRecord({ status: 'WAITING_FOR_PAYMENT' });
    const world = await startApi({
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

  test('answers 202 if the end takes longer', async () => {
    const order = orderRecord({ status: 'WAITING_FOR_PAYMENT' });
    const { cancel } = await startApi({ orders: [order], cancel: async () => ({ outcome: 'underWay' }) });
    const response = await cancel(order.orderId);
    expect(response.statusCode).toBe(202);
    expect(response.json()).toMatchObject({ data: { status: 'WAITING_FOR_PAYMENT' }, errorCode: 0 });
  });

  test('answers 2001 and why if the workflow refuses', async () => {
    const { cancel } = await startApi({
      orders: [orderRecord({ status: 'PAID' })],
      cancel: async () => ({ outcome: 'refused', why: 'it is being shipped' }),
    });
    const response = await cancel(orderRecord().orderId);
    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ errorCode: 2001 });
    expect(response.json<{ message: string }>().message).toContain('it is being shipped');
  });

  test.each(['CANCELLED', 'EXPIRED', 'REFUNDED'] as const)('answers %s from the row', async (status) => {
    const { cancel, cancelled } = await startApi({ orders: [orderRecord({ status })] });
    const response = await cancel(orderRecord().orderId);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ data: { status } });
    expect(cancelled).toEqual([]);
  });

  test('answers 2001 for an order that its customer has', async () => {
    const { cancel } = await startApi({ orders: [orderRecord({ status: 'FINISHED' })] });
    expect((await cancel(orderRecord().orderId)).json()).toMatchObject({ errorCode: 2001 });
  });

  test('answers 5001 if there is no workflow and the row says that it goes on', async () => {
    const { cancel } = await startApi({ orders: [orderRecord()] });
    expect((await cancel(orderRecord().orderId)).json()).toMatchObject({ errorCode: 5001 });
  });
});

describe('other requests', () => {
  test.each([
    ['GET', '/'],
    ['GET', '/api/customer/a/make'],
    ['DELETE', `/api/customer/a/orders/${'0'.repeat(24)}/items`],
  ] as const)('answers 1003 for %s %s', async (method, url) => {
    const { api } = await startApi();
    const response = await api.inject({ method, url });
    expect([response.statusCode, response.json<{ errorCode: number }>().errorCode]).toEqual([404, 1003]);
  });

  test('answers in the envelope for a path that cannot be decoded', async () => {
    const { api } = await startApi();
    const response = await api.inject({ url: '/api/customer/%zz/orders/a' });
    expect([response.statusCode, response.json<{ errorCode: number }>().errorCode]).toEqual([400, 1000]);
  });

  test('answers 1006 beyond the limit of requests, and says when to come again', async () => {
    const { read } = await startApi({}, { requestsPerMinute: 2 });
    await read('a');
    await read('a');
    const response = await read('a');
    expect([response.statusCode, response.json<{ errorCode: number }>().errorCode]).toEqual([429, 1006]);
    expect(response.headers['retry-after']).toBeDefined();
  });

  test('counts guesses at tokens against that limit', async () => {
    const fakes = fakeDependencies();
    const api = await createOrdersApp({
      ...fakes.dependencies,
      operatorToken: 'operator-token-of-32-characters',
      verifyToken: () => Promise.reject(new ApiError('notSignedIn', 'No')),
      checks: {},
      requestsPerMinute: 2,
      trustedProxies: [],
    });
    onTestFinished(() => api.close());
    for (const url of ['/api/operator/orders', `/api/customer/${CUSTOMER}/orders/a`]) {
      const headers = { authorization: 'Bearer a-guess' };
      const statuses = [];
      for (let guess = 0; guess < 3; guess += 1) statuses.push((await api.inject({ url, headers })).statusCode);
      expect(statuses.at(-1)).toBe(429);
    }
  });

  test('answers health checks beyond that limit', async () => {
    const { api } = await startApi({}, { requestsPerMinute: 1 });
    const answers = [await api.inject('/healthz'), await api.inject('/readyz'), await api.inject('/healthz')];
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200]);
  });
});

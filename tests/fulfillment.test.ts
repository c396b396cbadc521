import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createFulfillmentReceiver } from '../docs/examples/fulfillment-receiver.ts';
import { PENCIL, startWorld, type World } from './support/world.ts';

/** The receiver does its work, and nobody hears its answer. */
function unheard(response: ServerResponse): ServerResponse {
  return Object.create(response, { writeHead: { value: () => ({ end: () => undefined }) } }) as ServerResponse;
}

const SECRET = 'a secret for the tests';
const TOKEN = 'a token for the tests';
const operator = { authorization: `Bearer ${TOKEN}` };

describe("the shop's own fulfillment", () => {
  const receiver = createFulfillmentReceiver(SECRET);
  /**
   * Stands before the receiver: returns these answers first, and forwards the request to the receiver as well if told
   * to.
   */
  const script: { status: number; body?: object; afterTheEffect?: boolean; method?: string }[] = [];
  const requests: { method: string; key: string | undefined }[] = [];
  let front: Server;
  let world: World;

  beforeAll(async () => {
    front = createServer((request, response) => {
      requests.push({ method: request.method ?? '', key: request.headers['idempotency-key'] as string | undefined });
      const next = script.length > 1 ? script.shift() : script[0];
      if (next === undefined || (next.method !== undefined && next.method !== request.method)) {
        receiver.server.emit('request', request, response);
        return;
      }
      if (next.afterTheEffect === true) receiver.server.emit('request', request, unheard(response));
      response.writeHead(next.status).end(JSON.stringify(next.body ?? {}));
    });
    front.listen(0, '127.0.0.1');
    await once(front, 'listening');
    world = await startWorld({
      FULFILLMENT_URL: `http://127.0.0.1:${(front.address() as AddressInfo).port}/orders`,
      FULFILLMENT_SECRET: SECRET,
      FULFILLMENT_RETRY_SECONDS: '2',
      OPERATOR_TOKEN: TOKEN,
    });
  });
  afterEach(() => {
    script.length = 0;
    requests.length = 0;
  });
  afterAll(async () => {
    await world.stop();
    front.close();
  });

  async function paidOrder() {
    const order = await world.orderWaitingForPayment();
    await world.pay(order);
    return order;
  }
  const refund = (orderId: string, restock = true) =>
    world.post<{ status: string }>(`/api/operator/orders/${orderId}/refund`, { restock }, operator);

  test('ships the order under its own key, signed', async () => {
    const { orderId } = await paidOrder();
    const finished = await world.untilStatus(orderId, 'FINISHED');
    expect(finished.trackingNumber).toBe(`TRACK-${orderId.slice(0, 8)}`);
    expect(requests).toEqual([{ method: 'POST', key: `${orderId}:fulfillment` }]);
  });

  test.each([409, 410, 422])('%i says that it cannot be shipped: money and stock go back', async (status) => {
    const before = await world.stockOf(PENCIL);
    // To call it off anyway does no harm: another attempt may have had another answer.
    script.push({ status, body: { reason: 'the warehouse burnt down' }, method: 'POST' });
    const { orderId } = await paidOrder();
    const refunded = await world.untilStatus(orderId, 'REFUNDED');
    expect(refunded.timeline.at(-1)?.detail).toContain('the warehouse burnt down');
    expect(await world.stockOf(PENCIL)).toBe(before);
    expect((await world.stripe.ledger(orderId)).charges).toMatchObject([
      { amountMinor: 100, amountRefundedMinor: 100 },
    ]);
  });

  test.each([401, 404, 500])('%i is asked again, the operator sees it, and the order goes on', async (status) => {
    script.push({ status });
    const { orderId } = await paidOrder();
    await world.untilEvent(orderId, 'fulfillment.delayed');
    expect((await world.order(orderId)).status).toBe('PAID');
    script.length = 0;
    await world.untilStatus(orderId, 'FINISHED');
    expect(new Set(requests.map(({ key }) => key)).size).toBe(1);
  });

  test('an answer that is lost after the goods left is asked for again, and ships once', async () => {
    script.push({ status: 502, afterTheEffect: true }, { status: 502, afterTheEffect: true });
    const { orderId } = await paidOrder();
    await world.until(() => expect(requests.length).toBeGreaterThan(1));
    script.length = 0;
    const finished = await world.untilStatus(orderId, 'FINISHED');
    expect(receiver.shipments.get(orderId)).toEqual({ status: 'shipped', trackingNumber: finished.trackingNumber });
  });

  test('a refund while it is being asked again calls the shipment off first', async () => {
    script.push({ status: 503 });
    const { orderId } = await paidOrder();
    await world.untilEvent(orderId, 'fulfillment.delayed');
    script.length = 0;
    script.push({ status: 503 });
    const asked = refund(orderId);
    await world.until(() => expect(requests.some(({ method }) => method === 'DELETE')).toBe(true));
    // A wrong address says nothing of the goods.
    script.splice(0, script.length, { status: 404 });
    await world.until(() => expect(requests.filter(({ method }) => method === 'DELETE').length).toBeGreaterThan(2));
    expect((await world.order(orderId)).status, 'no refund before the warehouse has answered').toBe('PAID');
    expect((await world.stripe.ledger(orderId)).refunds).toEqual([]);
    script.length = 0;
    const answer = await asked;
    expect([200, 202]).toContain(answer.status);
    await world.untilStatus(orderId, 'REFUNDED');
    expect(receiver.shipments.get(orderId)).toEqual({ status: 'called off' });
    expect((await world.order(orderId)).timeline.at(-1)?.detail).toContain('The goods are back in stock.');
    expect(await refund(orderId)).toMatchObject({ status: 200, body: { data: { status: 'REFUNDED' } } });
    expect((await world.stripe.ledger(orderId)).refunds).toHaveLength(1);
  });

  test('a refund that comes after the goods left says so, and refunds when it is asked again', async () => {
    const before = await world.stockOf(PENCIL);
    script.push({ status: 502, afterTheEffect: true });
    const { orderId } = await paidOrder();
    await world.untilEvent(orderId, 'fulfillment.delayed');
    // The front still hides that it was shipped; the call-off reaches the receiver, which says so.
    const asked = refund(orderId, false);
    await world.until(() => expect(requests.some(({ method }) => method === 'DELETE')).toBe(true));
    script.length = 0;
    const answer = await asked;
    expect(answer).toMatchObject({ status: 409, body: { errorCode: 2004 } });
    expect(answer.body.message).toContain('was shipped before it could be called off');
    expect((await world.order(orderId)).status).toBe('FINISHED');
    expect((await world.stripe.ledger(orderId)).refunds).toEqual([]);

    expect(await refund(orderId, false)).toMatchObject({ status: 200, body: { data: { status: 'REFUNDED' } } });
    expect(await world.stockOf(PENCIL), 'without restock the goods are gone').toBe(before - 1);
  });

  test("Temporal's Cancel of a paid order calls the shipment off too", async () => {
    script.push({ status: 503 });
    const { orderId } = await paidOrder();
    await world.untilEvent(orderId, 'fulfillment.delayed');
    script.length = 0;
    await world.client.workflow.getHandle(orderId).cancel();
    await world.until(async () => expect(['REFUNDED', 'FINISHED']).toContain((await world.order(orderId)).status));
    const [shipment, order] = [receiver.shipments.get(orderId), await world.order(orderId)];
    expect(shipment?.status).toBe(order.status === 'REFUNDED' ? 'called off' : 'shipped');
  });

  test('a customer can no longer cancel once fulfillment has begun', async () => {
    script.push({ status: 503 });
    const order = await paidOrder();
    await world.untilEvent(order.orderId, 'fulfillment.delayed');
    expect(await world.cancel(order)).toMatchObject({ status: 409, body: { errorCode: 2001 } });
    script.length = 0;
    await world.untilStatus(order.orderId, 'FINISHED');
  });
});

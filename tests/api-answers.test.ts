import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PENCIL, startWorld, type World } from './support/world.ts';

/** What the API answers while parts behind it are down, slow or gone: from real errors of a real Temporal. */
describe('answers of the orders API when not all is well', () => {
  const onePencil = [{ itemID: PENCIL, quantity: 1 }];
  const aCustomer = () => `customer-${randomBytes(4).toString('hex')}`;
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ CREATE_TIMEOUT_SECONDS: '2' });
  });
  afterAll(() => world.stop());

  test('a create that nobody works on is 503 with the order id, and its key brings the order later', async () => {
    await world.stopWorker('orders');
    const customerId = aCustomer();
    const key = 'later';
    const first = await world.create(customerId, onePencil, key);
    expect(first).toMatchObject({
      status: 503,
      body: { errorCode: 5001, data: { order_id: expect.stringMatching(/^[0-9a-f]{24}$/) } },
    });

    await world.startWorker('orders');
    const second = await world.until(async () => {
      const answer = await world.create(customerId, onePencil, key);
      expect(answer).toMatchObject({ status: 200 });
      return answer;
    });
    expect(second.body.data.order_id).toBe(first.body.data.order_id);
    const order = await world.order(second.body.data.order_id);
    expect(second.body.traceID).toBe(order.traceId);
    const third = await world.create(customerId, onePencil, key);
    expect(third.body).toEqual(second.body);
    await world.cancel(await world.untilStatus(order.orderId, 'WAITING_FOR_PAYMENT'));
  });

  test('a cancel that nobody took is not said to be under way', async () => {
    const order = await world.orderWaitingForPayment();
    await world.stopWorker('orders');
    const untaken = await world.cancel(order);
    expect(untaken).toMatchObject({ status: 503, body: { errorCode: 5001 } });
    await world.startWorker('orders');
    await world.until(async () => expect(await world.cancel(order)).toMatchObject({ status: 200 }));
    expect((await world.order(order.orderId)).status).toBe('CANCELLED');
  });

  test('a cancel that takes longer is 202, and ends by itself', async () => {
    const order = await world.orderWaitingForPayment();
    const fault = await world.stripe.addFault({
      method: 'POST',
      path: `/v1/checkout/sessions/${order.checkoutSessionId}/expire`,
      times: 1,
      action: { type: 'hold' },
    });
    const slow = await world.cancel(order);
    expect(slow).toMatchObject({ status: 202, body: { errorCode: 0, data: { status: 'WAITING_FOR_PAYMENT' } } });
    await world.stripe.releaseFaults(fault.id);
    await world.untilStatus(order.orderId, 'CANCELLED');
    expect(await world.cancel(order)).toMatchObject({ status: 200, body: { data: { status: 'CANCELLED' } } });
  });

  test('a workflow that was ended from outside before it answered is told as such', async () => {
    const customerId = aCustomer();
    const key = 'ended';
    await world.stopWorker('orders');
    const { body } = await world.create(customerId, onePencil, key);
    await world.client.workflow.getHandle(body.data.order_id).terminate('a test');
    await world.startWorker('orders');
    const answer = await world.create(customerId, onePencil, key);
    expect(answer).toMatchObject({ status: 500, body: { errorCode: 5000, data: { order_id: body.data.order_id } } });
    expect(answer.body.message).toContain('another Idempotency-Key');
  });

  test('an order that nobody knows is 404, also to cancel', async () => {
    const unknown = { customerId: aCustomer(), orderId: '0'.repeat(24) };
    expect(await world.read(unknown)).toMatchObject({ status: 404, body: { errorCode: 2000 } });
    expect(await world.cancel(unknown)).toMatchObject({ status: 404, body: { errorCode: 2000 } });
  });

  test('an event for an order that nobody knows is taken, and changes nothing', async () => {
    const object = {
      id: 'pi_unknown',
      object: 'payment_intent',
      metadata: { order_id: '0'.repeat(24) },
      last_payment_error: { code: 'card_declined' },
    };
    const { results } = await world.stripe.sendEvent({ type: 'payment_intent.payment_failed', object });
    expect(results).toEqual([200]);
  });
});

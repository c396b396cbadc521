import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newCustomer, ONE_PENCIL, PENCIL, startWorld, type World } from './support/world.ts';

describe('a create that nobody answers in time', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ CREATE_TIMEOUT_SECONDS: '2' });
  });
  afterAll(() => world.stop());

  test('is answered 503 and can be asked for again with its key: one order', async () => {
    const customer = newCustomer();
    await world.stopWorker('orders');
    const unanswered = await world.create(customer, ONE_PENCIL, 'key');
    expect(unanswered).toMatchObject({
      status: 503,
      body: { errorCode: 5001, data: { order_id: expect.any(String) } },
    });
    expect(unanswered.body.message).toContain('same Idempotency-Key');
    expect(await world.create(customer, ONE_PENCIL, 'key')).toMatchObject({
      status: 503,
      body: { data: { order_id: unanswered.body.data.order_id } },
    });

    await world.startWorker('orders');
    const answered = await world.until(async () => {
      const answer = await world.create(customer, ONE_PENCIL, 'key');
      expect(answer.status).toBe(200);
      return answer;
    });
    expect(answered.body.data.order_id).toBe(unanswered.body.data.order_id);
    expect(await world.stockOf(PENCIL)).toBe(99);
  });

  test('without a key, whose stock nobody can hold for a minute, is never made and holds nothing', async () => {
    const available = await world.stockOf(PENCIL);
    await world.stopWorker('stock');
    const { body } = await world.create(newCustomer(), ONE_PENCIL);
    const { order_id: orderId } = body.data;
    await world.until(async () => {
      const { status, raw } = await world.client.workflow.getHandle(orderId).describe();
      // The give-back waits for a worker; only then is the order refused.
      expect([status.name, raw.pendingActivities?.[0]?.activityType?.name]).toEqual(['RUNNING', 'giveBackStock']);
    }, 75_000);
    await world.startWorker('stock');
    expect(await world.workflowResult(orderId)).toMatchObject({ status: 'REFUSED' });
    expect(await world.stockOf(PENCIL)).toBe(available);
  }, 100_000);

  test('without a key names the order that may exist, and it is made once a worker is there', async () => {
    const customerId = newCustomer();
    await world.stopWorker('orders');
    const unanswered = await world.create(customerId, ONE_PENCIL);
    expect(unanswered).toMatchObject({ status: 503, body: { errorCode: 5001 } });
    const { order_id: orderId } = unanswered.body.data;
    expect(await world.read({ customerId, orderId })).toMatchObject({ status: 404, body: { errorCode: 2000 } });

    await world.startWorker('orders');
    await world.until(async () => expect(await world.read({ customerId, orderId })).toMatchObject({ status: 200 }));
    await world.untilStatus(orderId, 'WAITING_FOR_PAYMENT');
  });
});

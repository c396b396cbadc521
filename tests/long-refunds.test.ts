import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aftercareWorkflowId, refundWorkflowId, RECOVER_ORDER } from '../contracts/messages.ts';
import type { OrderRecord } from '../database/orders.ts';
import { orderPolicy } from '../api/order-policy.ts';
import { chargeApart, tellPaid } from './support/stray-payments.ts';
import { PENCIL, startWorld, type World } from './support/world.ts';

const TOKEN = 'a token for the tests';
const operator = { authorization: `Bearer ${TOKEN}` };
/** Months, if each took the hours that it takes with the usual settings: a run ends after some 45 of them. */
const REFUSALS = 60;

/**
 * Stripe refuses a refund for weeks: the balance is too low, or a dispute is open. The pauses are short here and hours
 * else; `world.stop()` sees that no history has more than 1,000 events.
 */
describe('a refund that Stripe refuses for weeks', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      OPERATOR_TOKEN: TOKEN,
      FULFILLMENT_RETRY_SECONDS: '1',
      STRIPE_RETRY_MAX_SECONDS: '0.02',
    });
  });
  afterAll(() => world.stop());

  const refund = (orderId: string, restock = true) =>
    world.post<{ status: string }>(`/api/operator/orders/${orderId}/refund`, { restock }, operator);

  async function paidOrder(): Promise<OrderRecord> {
    await world.stopWorker('fulfillment');
    const order = await world.orderWaitingForPayment();
    await world.pay(order);
    return world.untilStatus(order.orderId, 'PAID');
  }

  async function runsOf(workflowId: string): Promise<number> {
    let runs = 0;
    await world.until(async () => {
      runs = 0;
      for await (const _ of world.client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) runs += 1;
      expect(runs).toBeGreaterThan(1);
    });
    return runs;
  }

  async function refusedMoreThan(count: number): Promise<void> {
    await world.until(async () => {
      const fired = (await world.stripe.faults()).reduce((sum, fault) => sum + fault.fired, 0);
      expect(fired).toBeGreaterThan(count);
    }, 60_000);
  }

  test('goes on in new runs and is done once: before the end, after it, and of a payment that is not needed', async () => {
    const finished = await world.finishedOrder();
    await world.workflowResult(finished.orderId);
    const paid = await paidOrder();
    const stray = await chargeApart(world, finished);
    await world.stripe.refuseRefunds(REFUSALS * 3, false);
    const asked = [refund(paid.orderId), refund(finished.orderId, false)];
    await tellPaid(world, finished, { id: 'cs_test_other', payment_intent: stray });
    const requested = await world.untilEvent(paid.orderId, 'refund.requested');
    expect(requested.status).toBe('PAID');
    await world.startWorker('fulfillment');
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([202, 202]);
    // Asked again meanwhile, it is the same refund.
    expect(await refund(paid.orderId)).toMatchObject({ status: 202 });

    for (const { orderId } of [paid, finished]) {
      await world.until(async () => expect((await world.order(orderId)).status).toBe('REFUNDED'), 120_000);
    }
    await world.untilEvent(finished.orderId, 'payment.returned');
    const refunded = await world.order(paid.orderId);
    expect(refunded.trackingNumber).toBeNull();
    expect(refunded.timeline.map(({ event }) => event).filter((event) => event.startsWith('refund.'))).toEqual([
      'refund.requested',
      'refund.delayed',
    ]);
    expect((await world.stripe.ledger()).refunds).toHaveLength(3);
    for (const id of [paid.orderId, refundWorkflowId(finished.orderId), aftercareWorkflowId(stray)]) {
      expect(await runsOf(id), `runs of ${id}`).toBeGreaterThan(1);
    }
  }, 200_000);

  test('is not forgotten when the workflow is lost: the order is refunded then, and never shipped', async () => {
    const stock = await world.stockOf(PENCIL);
    const order = await paidOrder();
    await world.stripe.refuseRefunds(1_000, false);
    const asked = refund(order.orderId, false);
    await world.untilEvent(order.orderId, 'refund.requested');
    await asked;
    await world.client.workflow.getHandle(order.orderId).terminate('lost, for a test');
    await world.startWorker('fulfillment');
    const { taskQueuePrefix } = world.config.temporal;
    await world.client.workflow.start(RECOVER_ORDER, {
      workflowId: order.orderId,
      taskQueue: `${taskQueuePrefix}orders`,
      args: [{ orderId: order.orderId, policy: orderPolicy(world.config) }],
    });
    await refusedMoreThan(5);
    await world.stripe.clearFaults();
    const refunded = await world.untilStatus(order.orderId, 'REFUNDED');
    expect(refunded.trackingNumber).toBeNull();
    // What the operator decided: without restock.
    expect(await world.stockOf(PENCIL)).toBe(stock - 1);
  }, 90_000);

  test("is not torn by Temporal's Cancel, nor by a question to Stripe that is refused", async () => {
    const order = await world.finishedOrder();
    await world.workflowResult(order.orderId);
    const stray = await chargeApart(world, order);
    await world.stripe.refuseRefunds(1_000, false);
    await tellPaid(world, order, { id: 'cs_test_other', payment_intent: stray });
    await refund(order.orderId);
    await refusedMoreThan(6);
    const handles = [refundWorkflowId(order.orderId), aftercareWorkflowId(stray)].map((id) =>
      world.client.workflow.getHandle(id),
    );
    for (const handle of handles) await handle.cancel();
    await world.stripe.addFault({
      method: 'GET',
      path: '/v1/refunds',
      times: 4,
      action: { type: 'error', status: 400, code: 'some_refusal' },
    });
    await refusedMoreThan(12);
    await world.stripe.clearFaults();
    await world.untilStatus(order.orderId, 'REFUNDED');
    await world.untilEvent(order.orderId, 'payment.returned');
    expect((await world.stripe.ledger(order.orderId)).refunds).toHaveLength(2);
  }, 90_000);

  test('a goodwill refund of a part stays one when the workflow is lost: the order ships', async () => {
    const order = await paidOrder();
    await world.stripe.refundAtDashboard(order.paymentIntentId!, { amountMinor: 10 });
    await world.client.workflow.getHandle(order.orderId).terminate('lost, for a test');
    await world.startWorker('fulfillment');
    await world.client.workflow.start(RECOVER_ORDER, {
      workflowId: order.orderId,
      taskQueue: `${world.config.temporal.taskQueuePrefix}orders`,
      args: [{ orderId: order.orderId, policy: orderPolicy(world.config) }],
    });
    expect(await world.untilStatus(order.orderId, 'FINISHED')).toMatchObject({ keptAmountMinor: 90 });
    expect((await world.stripe.ledger(order.orderId)).refunds).toHaveLength(1);
  });
});

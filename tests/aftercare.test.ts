import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aftercareWorkflowId } from '../contracts/messages.ts';
import type { OrderRecord } from '../database/orders.ts';
import { must } from '../domain/must.ts';
import { chargeApart, tellPaid } from './support/stray-payments.ts';
import { startWorld, type World } from './support/world.ts';

let world: World;
let withoutBalance: OrderRecord;
const logged: string[] = [];
beforeAll(async () => {
  world = await startWorld({ LOG_LEVEL: 'error' }, { write: (line) => void logged.push(line) });
  withoutBalance = await ended('CANCELLED', async (waiting) => void (await world.cancel(waiting)));
  await world.stripe.refuseRefunds(1);
  await payLate(withoutBalance);
  await world.until(async () => expect((await world.stripe.faults()).at(-1)?.fired).toBe(1));
});
afterAll(() => world.stop());

/** Each way for an order to end without its customer's money. */
const ENDS = [
  { status: 'CANCELLED', end: async (order: OrderRecord) => void (await world.cancel(order)) },
  { status: 'EXPIRED', end: async (order: OrderRecord) => void (await world.stripe.timeOut(order.checkoutSessionId!)) },
] as const;

describe.concurrent('a payment for an order that has ended', () => {
  test.each(ENDS)('$status: is refunded in full, once, and page and timeline say so', async ({ status, end }) => {
    const order = await ended(status, end);
    const paymentIntent = await payLate(order, { copies: 3 });
    const returned = await world.untilEvent(order.orderId, 'payment.returned');
    expect(returned.status).toBe(status);
    expect(returned.timeline.at(-1)?.detail).toBe('We received an extra payment of $1.00 and refunded it.');
    expect(await pageText(order)).toContain('an extra payment of $1.00');

    // Another event of the same payment asks for nothing more.
    const id = `evt_again_${order.orderId}`;
    await tellPaid(world, order, { payment_intent: paymentIntent }, { id });
    await world.workflowResult(aftercareWorkflowId(paymentIntent));
    expect((await world.order(order.orderId)).timeline).toEqual(returned.timeline);
    const { charges, refunds } = await world.stripe.ledger(order.orderId);
    expect(charges).toMatchObject([{ amountMinor: 100, amountRefundedMinor: 100 }]);
    expect(refunds).toHaveLength(1);
  });

  test('FINISHED: the second payment is refunded, the first one stays', async () => {
    const order = await world.finishedOrder();
    await world.workflowResult(order.orderId);
    const second = await payLate(order);
    await world.untilEvent(order.orderId, 'payment.returned');
    const { charges, refunds } = await world.stripe.ledger(order.orderId);
    expect(charges.map(({ amountRefundedMinor }) => amountRefundedMinor)).toEqual([0, 100]);
    expect(refunds).toMatchObject([{ paymentIntentId: second, status: 'succeeded' }]);
    expect((await world.order(order.orderId)).status).toBe('FINISHED');
  });

  test('its own event, sent again, asks for nothing', async () => {
    const order = await world.finishedOrder();
    await world.workflowResult(order.orderId);
    const events = await world.stripe.events('checkout.session.completed');
    const mine = events.find((event) => (event.data.object as { id: string }).id === order.checkoutSessionId);
    expect((await world.stripe.redeliver(mine!.id, 5)).results).toEqual([200, 200, 200, 200, 200]);
    expect(await world.knowsWorkflow(aftercareWorkflowId(order.paymentIntentId!))).toBe(false);
    expect(await world.order(order.orderId)).toEqual(order);
    expect((await world.stripe.ledger(order.orderId)).refunds).toEqual([]);
  });

  test('when Temporal has forgotten the order', async () => {
    const order = await ended('CANCELLED', async (waiting) => void (await world.cancel(waiting)));
    await world.forgetWorkflow(order.orderId);
    await payLate(order);
    await world.untilEvent(order.orderId, 'payment.returned');
    expect((await world.stripe.ledger(order.orderId)).refunds).toHaveLength(1);
  }, 150_000);
});

describe.concurrent('a dispute', () => {
  test('after the end goes to the timeline, from its beginning to its end', async () => {
    const order = await world.finishedOrder();
    await world.workflowResult(order.orderId);
    const [charge] = (await world.stripe.ledger(order.orderId)).charges;
    const { id } = await world.stripe.openDispute(charge!.id);
    await world.untilEvent(order.orderId, 'payment.disputed');
    await world.stripe.closeDispute(id, 'won');
    const closed = await world.untilEvent(order.orderId, 'dispute.closed');
    expect(closed.timeline.find(({ event }) => event === 'dispute.closed')?.detail).toContain('won');
    expect(closed.status).toBe('FINISHED');
  });

  test('that comes together with the payment is not lost', async () => {
    const order = await world.orderWaitingForPayment();
    await world.pay(order, { card: '4000000000000259' });
    // Which of the two the order hears of first is Stripe's affair: the goods have left, or are held.
    await world.untilEvent(order.orderId, 'payment.disputed');
    await world.until(async () =>
      expect((await world.order(order.orderId)).timeline.map(({ event }) => event)).toEqual(
        expect.arrayContaining([expect.stringMatching(/^(order\.finished|fulfillment\.held)$/)]),
      ),
    );
    const [dispute] = (await world.stripe.ledger(order.orderId)).disputes;
    await world.stripe.closeDispute(must(dispute, 'a dispute').id, 'won');
    await world.untilEvent(order.orderId, 'dispute.closed');
    await world.untilStatus(order.orderId, 'FINISHED');
  });
});

/** These script what all refunds meet, so they run one after the other. */
describe('a late payment whose refund fails at first', () => {
  test.each([
    { how: 'with 500', action: { type: 'error', status: 500 }, times: 3 },
    { how: 'with 429', action: { type: 'error', status: 429 }, times: 3 },
    { how: 'with a 500 that Stripe keeps', action: { type: 'error', status: 500, stored: true }, times: 2 },
    { how: 'in a connection that is reset after the effect', action: { type: 'reset', when: 'after' }, times: 1 },
    { how: 'in a connection that is reset before it', action: { type: 'reset', when: 'before' }, times: 2 },
  ] as const)('$how: goes back in full, once', async ({ action, times }) => {
    const order = await ended('CANCELLED', async (waiting) => void (await world.cancel(waiting)));
    const { id } = await world.stripe.addFault({ method: 'POST', path: '/v1/refunds', times, action });
    await payLate(order);
    await world.untilEvent(order.orderId, 'payment.returned');
    expect((await world.stripe.faults()).find((fault) => fault.id === id)?.fired).toBe(times);
    await world.stripe.clearFaults();
    const { charges, refunds } = await world.stripe.ledger(order.orderId);
    expect(charges).toMatchObject([{ amountRefundedMinor: 100 }]);
    expect(refunds).toHaveLength(1);
  });
});

test('a late payment that Stripe refused to refund for lack of balance goes back once under another key', async () => {
  const { orderId } = withoutBalance;
  await world.untilEvent(orderId, 'payment.returned');
  expect((await world.stripe.ledger(orderId)).refunds).toHaveLength(1);
});

test('a payment that Stripe does not know raises one alarm, and is asked for with growing pauses', async () => {
  const order = await world.finishedOrder();
  await world.workflowResult(order.orderId);
  const paymentIntent = `pi_unknown_${order.orderId}`;
  expect(await tellPaid(world, order, { payment_intent: paymentIntent })).toEqual([200]);
  const handle = world.client.workflow.getHandle(aftercareWorkflowId(paymentIntent));
  const pauses = await world.until(async () => {
    const { events = [] } = await handle.fetchHistory();
    const timers = (events ?? []).flatMap(({ timerStartedEventAttributes: timer }) => timer?.startToFireTimeout ?? []);
    expect(timers.length).toBeGreaterThanOrEqual(3);
    return timers.map(({ seconds }) => Number(seconds));
  });
  expect(pauses.slice(0, 3)).toEqual([1, 2, 4]);
  const alarms = logged.filter((line) => line.includes('An operator is needed') && line.includes(paymentIntent));
  expect(alarms).toHaveLength(1);
  expect(await world.order(order.orderId)).toMatchObject({ status: 'FINISHED', timeline: order.timeline });
  // It would be asked for three days.
  await handle.terminate('the test has seen enough');
});

async function ended(status: OrderRecord['status'], end: (order: OrderRecord) => Promise<void>): Promise<OrderRecord> {
  const { orderId } = await world.orderWaitingForPayment().then(async (order) => end(order).then(() => order));
  const order = await world.untilStatus(orderId, status);
  await world.workflowResult(orderId);
  return order;
}

/** The customer's money comes after the order's end; returns its payment intent. */
async function payLate(order: OrderRecord, event: { copies?: number } = {}): Promise<string> {
  const paymentIntent = await chargeApart(world, order);
  const results = await tellPaid(world, order, { payment_intent: paymentIntent }, event);
  expect(new Set(results)).toEqual(new Set([200]));
  return paymentIntent;
}

async function pageText({ customerId, orderId }: OrderRecord): Promise<string> {
  const query = new URLSearchParams({ 'customer-id': customerId, 'order-id': orderId });
  const response = await fetch(`${world.config.publicUrl}/payment?${query.toString()}`);
  return response.text();
}

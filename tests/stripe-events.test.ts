import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aftercareWorkflowId } from '../contracts/messages.ts';
import type { OrderRecord } from '../database/orders.ts';
import { createStripe } from '../platform/stripe.ts';
import { holdLinks, payBeforeLink } from './support/early-payment.ts';
import { chargeApart, tellPaid } from './support/stray-payments.ts';
import { startWorld, type World } from './support/world.ts';

const eventsOf = (order: OrderRecord) => order.timeline.map(({ event }) => event);
const HAPPY_EVENTS = ['order.created', 'payment.requested', 'order.paid', 'order.finished'];

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

describe('events that come five times, at once and shuffled', () => {
  test.each([1, 2, 3])('bring each order to its one end (seed %i)', async (seed) => {
    await world.stripe.addWebhookRule({ action: { type: 'duplicate', copies: 5 }, probability: 1, seed });
    await world.stripe.addWebhookRule({ action: { type: 'shuffle', windowMs: 400 }, probability: 1, seed });
    const orders = await Promise.all(Array.from({ length: 6 }, () => world.orderWaitingForPayment()));
    const cancelled = orders.splice(0, 2);
    await Promise.all(
      orders.map(async (order) => {
        await world.pay(order, { card: '4000000000009995' });
        await world.pay(order);
      }),
    );
    await Promise.all(cancelled.map((order) => world.cancel(order)));
    await world.until(async () => {
      const deliveries = await world.stripe.deliveries();
      expect(deliveries.filter(({ status }) => status !== 'delivered')).toEqual([]);
    });
    await world.stripe.clearWebhookRules();
    for (const { orderId } of orders) {
      const finished = await world.untilStatus(orderId, 'FINISHED');
      // The decline may come when the order is paid already; then nobody needs to know of it.
      expect(eventsOf(finished).filter((event) => event !== 'payment.failed')).toEqual(HAPPY_EVENTS);
      expect(eventsOf(finished).filter((event) => event === 'payment.failed').length).toBeLessThanOrEqual(1);
    }
    for (const { orderId } of cancelled) {
      expect(eventsOf(await world.order(orderId))).toEqual(['order.created', 'payment.requested', 'order.cancelled']);
    }
  });
});

test('an event that comes before the session is saved waits for it', async () => {
  await holdLinks(world);
  const order = await world.newOrder();
  await payBeforeLink(world, order.orderId);
  expect((await world.order(order.orderId)).status).toBe('PENDING');
  await world.stripe.clearFaults();
  expect(eventsOf(await world.untilStatus(order.orderId, 'FINISHED'))).toEqual(HAPPY_EVENTS);
});

describe.concurrent('an event that is not the order’s', () => {
  test.each([
    { what: 'of the live mode', session: { livemode: true }, event: { livemode: true }, notes: [] },
    { what: 'of another account', session: {}, event: { account: 'acct_other' }, notes: [] },
    { what: 'paid by no payment', session: { payment_intent: null }, event: {}, notes: ['payment.ignored'] },
  ])('$what pays nothing, and the customer can still pay', async ({ session, event, notes }) => {
    const order = await world.orderWaitingForPayment();
    expect(await tellPaid(world, order, { payment_intent: 'pi_other', ...session }, event)).toEqual([200]);
    await world.pay(order);
    const finished = await world.untilStatus(order.orderId, 'FINISHED');
    expect(eventsOf(finished).toSorted()).toEqual([...HAPPY_EVENTS, ...notes].toSorted());
  });

  test('of another order of ours pays neither of the two', async () => {
    const [order, other] = [await world.orderWaitingForPayment(), await world.orderWaitingForPayment()];
    const paymentIntent = await chargeApart(world, order);
    const reference = { metadata: { order_id: other.orderId }, payment_intent: paymentIntent };
    expect(await tellPaid(world, order, reference)).toEqual([200]);
    await world.until(() => world.workflowResult(aftercareWorkflowId(paymentIntent)));
    expect(await world.order(other.orderId)).toEqual(other);
    expect(await world.order(order.orderId)).toEqual(order);
    // The money names the first order, which does not know of it.
    await createStripe(world.config.stripe).refunds.create({ payment_intent: paymentIntent });
  });

  test.each([
    { what: 'an order that does not exist', reference: { order_id: 'f'.repeat(24) } },
    { what: 'something that is no order of ours', reference: { order_id: 'invoice-7' } },
    { what: 'an order that only a buyer has named', reference: {} },
  ])('of $what is taken, and changes nothing', async ({ reference }) => {
    const order = await world.orderWaitingForPayment();
    const changes = { client_reference_id: order.orderId, metadata: reference, payment_intent: 'pi_other' };
    expect(await tellPaid(world, order, changes)).toEqual([200]);
    expect(await world.order(order.orderId)).toEqual(order);
  });
});

describe.concurrent('money that is not what the order asks for', () => {
  test.each([
    { what: 'too little', amountMinor: 60, currency: 'USD', problem: '$0.60 was paid instead of $1.00' },
    { what: 'too much', amountMinor: 1000, currency: 'USD', problem: '$10.00 was paid instead of $1.00' },
    { what: 'another currency', amountMinor: 100, currency: 'EUR', problem: '€1.00 was paid instead of $1.00' },
  ])('$what: refunded in full, CANCELLED with the reason, and told once', async (money) => {
    const { amountMinor, currency, problem } = money;
    const order = await world.orderWaitingForPayment();
    const paymentIntent = await chargeApart(world, order, { amountMinor, currency });
    const changes = { amount_total: amountMinor, currency: currency.toLowerCase(), payment_intent: paymentIntent };
    const id = `evt_wrong_${order.orderId}`;
    expect(await tellPaid(world, order, changes, { id, copies: 3 })).toEqual([200, 200, 200]);
    const cancelled = await world.untilStatus(order.orderId, 'CANCELLED');
    expect(cancelled.timeline.at(-1)?.detail).toContain(problem);
    expect(cancelled.timeline.at(-1)?.detail).toContain('refunded in full');

    await world.workflowResult(order.orderId);
    for (const again of [id, `${id}_again`]) {
      expect(await tellPaid(world, order, changes, { id: again })).toEqual([200]);
      expect(await world.knowsWorkflow(aftercareWorkflowId(paymentIntent))).toBe(false);
    }
    const { charges, refunds } = await world.stripe.ledger(order.orderId);
    expect(charges).toMatchObject([{ amountMinor, amountRefundedMinor: amountMinor }]);
    expect(refunds).toHaveLength(1);
    expect(await world.order(order.orderId)).toEqual(cancelled);
  });
});

test('a session that Stripe closes by itself: EXPIRED, and stock is back', async () => {
  const order = await world.orderWaitingForPayment();
  await world.stripe.timeOut(order.checkoutSessionId!);
  const expired = await world.untilStatus(order.orderId, 'EXPIRED');
  expect(expired.timeline.at(-1)?.detail).toContain('closed by Stripe');
});

test('a webhook secret that is being rotated: events signed with either are taken, with a third not', async () => {
  const secrets = ['whsec_new', 'whsec_old'];
  const other = await startWorld({}, undefined, secrets);
  try {
    for (const secret of secrets) {
      await other.stripe.setWebhook({ secret });
      await other.finishedOrder();
    }
    await other.stripe.setWebhook({ secret: 'whsec_third' });
    const order = await other.orderWaitingForPayment();
    await other.pay(order);
    await other.until(async () => {
      const deliveries = await other.stripe.deliveries();
      expect(deliveries.filter(({ lastResult }) => lastResult === 400).length).toBeGreaterThanOrEqual(1);
    });
    expect((await other.order(order.orderId)).status).toBe('WAITING_FOR_PAYMENT');
    await other.stripe.setWebhook({ secret: 'whsec_new' });
    await other.untilStatus(order.orderId, 'FINISHED');
  } finally {
    await other.stop();
  }
});

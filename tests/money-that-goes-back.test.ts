import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { OrderRecord } from '../database/orders.ts';
import type { SandboxAdmin } from '../dev/stripe-sandbox/admin-client.ts';
import { chargeApart, sessionWith, tellPaid } from './support/stray-payments.ts';
import { PENCIL, startWorld, type World } from './support/world.ts';

const TOKEN = 'a token for the tests';
const operator = { authorization: `Bearer ${TOKEN}` };
const eventsOf = (order: OrderRecord) => order.timeline.map(({ event }) => event);

type Paid = { readonly order: OrderRecord; readonly paymentIntentId: string; readonly chargeId: string };

/** How all of an order's money goes back without the order's doing. */
const WAYS_BACK: readonly {
  how: string;
  goBack: (stripe: SandboxAdmin, paid: Paid) => Promise<unknown>;
  /** What the timeline says of it. */
  noted: string;
}[] = [
  {
    how: 'refunded at the dashboard',
    noted: 'payment.refunded',
    goBack: (stripe, paid) => stripe.refundAtDashboard(paid.paymentIntentId),
  },
  {
    how: 'lost in a dispute',
    noted: 'dispute.closed',
    goBack: async (stripe, { chargeId }) => stripe.closeDispute((await stripe.openDispute(chargeId)).id, 'lost'),
  },
];

describe('goods never leave for money that has gone back', () => {
  let world: World;
  let stock: number;
  beforeAll(async () => {
    world = await startWorld({
      OPERATOR_TOKEN: TOKEN,
      FULFILLMENT_RETRY_SECONDS: '1',
      STRIPE_RETRY_MAX_SECONDS: '0.5',
    });
    stock = await world.stockOf(PENCIL);
  });
  afterEach(() => world.stripe.clearWebhookRules());
  afterAll(() => world.stop());

  const lose = (types?: string[]) =>
    world.stripe.addWebhookRule({ ...(types && { types }), action: { type: 'drop' }, probability: 1 });

  async function pay(order: OrderRecord): Promise<Paid> {
    const { paymentIntentId } = await world.pay(order);
    const [charge] = (await world.stripe.ledger(order.orderId)).charges;
    return { order, paymentIntentId: paymentIntentId!, chargeId: charge!.id };
  }

  /** An order that is paid and does not know it. */
  async function paidUnheard(): Promise<Paid> {
    const order = await world.orderWaitingForPayment();
    await lose(['checkout.session.completed']);
    return pay(order);
  }

  /** An order whose goods nobody can ship for now. */
  async function paidAndWaiting(): Promise<Paid> {
    await world.stopWorker('fulfillment');
    const paid = await pay(await world.orderWaitingForPayment());
    await world.untilStatus(paid.order.orderId, 'PAID');
    return paid;
  }

  async function expectNotShipped({ order }: Paid): Promise<OrderRecord> {
    const refunded = await world.untilStatus(order.orderId, 'REFUNDED');
    expect(refunded).toMatchObject({ trackingNumber: null, keptAmountMinor: 0 });
    const shipments = await world.database.query('SELECT FROM shipments WHERE order_id = $1 AND NOT called_off', [
      order.orderId,
    ]);
    expect(shipments.rowCount).toBe(0);
    expect(await world.stockOf(PENCIL)).toBe(stock);
    return refunded;
  }

  describe.each(WAYS_BACK)('$how before the order knows that it is paid:', ({ how, goBack }) => {
    test('the news of it makes the order look, and it does not ship', async () => {
      const paid = await paidUnheard();
      await goBack(world.stripe, paid);
      const refunded = await expectNotShipped(paid);
      expect(refunded.timeline.at(-1)?.detail).toContain(how.startsWith('lost') ? 'Your bank decided' : 'was refunded');
      expect(refunded.timeline.at(-1)?.detail).not.toContain('Stripe has accepted');
    });

    test('an order that asks Stripe itself is told', async () => {
      const paid = await paidUnheard();
      await lose();
      await goBack(world.stripe, paid);
      await world.comeBack(paid.order);
      expect(await expectNotShipped(paid)).toMatchObject({ status: 'REFUNDED' });
    });

    test('an event that is older than a minute is not believed', async () => {
      const paid = await paidUnheard();
      await lose();
      await goBack(world.stripe, paid);
      const object = await sessionWith(world, paid.order, {});
      const created = Math.floor(Date.now() / 1000) - 61;
      await world.stripe.sendEvent({ type: 'checkout.session.completed', object, created });
      expect(await expectNotShipped(paid)).toMatchObject({ status: 'REFUNDED' });
    });
  });

  describe.each(WAYS_BACK)('$how while the warehouse is down:', ({ goBack, noted }) => {
    test('the shipment is called off', async () => {
      const paid = await paidAndWaiting();
      await goBack(world.stripe, paid);
      await world.untilEvent(paid.order.orderId, noted);
      await world.startWorker('fulfillment');
      expect(await expectNotShipped(paid)).toMatchObject({ status: 'REFUNDED' });
    });
  });

  test('an order that has been paid for more than a minute asks Stripe before it ships', async () => {
    const paid = await paidAndWaiting();
    await world.untilEvent(paid.order.orderId, 'fulfillment.delayed');
    await lose();
    await world.stripe.refundAtDashboard(paid.paymentIntentId);
    const requests = async () =>
      (await world.stripe.requests()).filter(({ path }) => path === `/v1/payment_intents/${paid.paymentIntentId}`);
    expect(await requests()).toEqual([]);
    await world.until(async () => expect((await requests()).length).toBeGreaterThan(0), 75_000);
    await world.startWorker('fulfillment');
    await expectNotShipped(paid);
  }, 100_000);

  test('a happy order asks Stripe for nothing but its payment page', async () => {
    const { orderId } = await world.finishedOrder();
    const { historyLength } = await world.client.workflow.getHandle(orderId).describe();
    expect(historyLength).toBeLessThanOrEqual(38);
    const paths = (await world.stripe.requests()).slice(-1).map(({ method, path }) => `${method} ${path}`);
    expect(paths).toEqual(['POST /v1/checkout/sessions']);
    stock -= 1;
  });

  test('a part that was refunded at the dashboard leaves the rest: the order ships, and the timeline says so', async () => {
    const order = await world.orderWaitingForPayment();
    await lose(['checkout.session.completed']);
    const paid = await pay(order);
    await world.stripe.refundAtDashboard(paid.paymentIntentId, { amountMinor: 40 });
    const finished = await world.untilStatus(order.orderId, 'FINISHED');
    expect(finished).toMatchObject({ keptAmountMinor: 60 });
    expect(finished.timeline.find(({ event }) => event === 'payment.refunded')?.detail).toBe(
      '$0.40 of $1.00 was refunded.',
    );
    stock -= 1;
  });

  describe('a payment in doubt', () => {
    test('a review holds the shipment until a person has approved the payment', async () => {
      const paid = await paidUnheard();
      const review = await world.stripe.openReview(paid.chargeId);
      const held = await world.untilEvent(paid.order.orderId, 'fulfillment.held');
      expect(held.timeline.at(-1)?.detail).toBe('The shipment waits: the payment is in review at Stripe.');
      expect(held.status).toBe('PAID');
      await world.stripe.closeReview(review.id, 'approved');
      await world.untilStatus(paid.order.orderId, 'FINISHED');
      stock -= 1;
    });

    test('a dispute holds the shipment; won, the order ships', async () => {
      const paid = await paidUnheard();
      const dispute = await world.stripe.openDispute(paid.chargeId);
      await world.untilEvent(paid.order.orderId, 'fulfillment.held');
      // Nobody tells: the order asks again by itself.
      await lose();
      await world.stripe.closeDispute(dispute.id, 'won');
      expect(await world.untilStatus(paid.order.orderId, 'FINISHED')).toMatchObject({ keptAmountMinor: 100 });
      stock -= 1;
    });

    test('a fraud warning holds the shipment until an operator releases the order', async () => {
      const paid = await paidUnheard();
      await world.stripe.openFraudWarning(paid.chargeId);
      await world.untilEvent(paid.order.orderId, 'fulfillment.held');
      const answer = await world.post(`/api/operator/orders/${paid.order.orderId}/release`, {}, operator);
      expect(answer.status).toBe(200);
      const finished = await world.untilStatus(paid.order.orderId, 'FINISHED');
      expect(finished.timeline.find(({ event }) => event === 'fulfillment.released')?.data.by).toBe('OPERATOR_TOKEN');
      stock -= 1;
    });

    test('a release is for the doubts that hold the order now: another one holds it again', async () => {
      const paid = await paidAndWaiting();
      const { orderId } = paid.order;
      const release = () => world.post(`/api/operator/orders/${orderId}/release`, {}, operator);
      expect((await release()).status, 'nothing holds it yet').toBe(409);
      await world.stripe.openFraudWarning(paid.chargeId);
      await world.untilEvent(orderId, 'fulfillment.held');
      expect((await release()).status).toBe(200);
      const review = await world.stripe.openReview(paid.chargeId);
      await world.startWorker('fulfillment');
      await world.until(async () =>
        expect((await world.order(orderId)).timeline.at(-1)?.detail).toBe(
          'The shipment waits: the payment is in review at Stripe.',
        ),
      );
      await world.stripe.closeReview(review.id, 'approved');
      await world.untilStatus(orderId, 'FINISHED');
      stock -= 1;
    });

    test('an event of a payment is not the last word when news of its money came first', async () => {
      const order = await world.orderWaitingForPayment();
      await world.pay(order, { method: 'bank_debit' });
      await world.untilEvent(order.orderId, 'payment.processing');
      const { payment_intent: paymentIntentId } = await sessionWith(world, order, {});
      const object = { id: 'prv_early', object: 'review', payment_intent: paymentIntentId, open: true, reason: 'rule' };
      const looks = async () =>
        (await world.stripe.requests()).filter(
          ({ method, path }) => method === 'GET' && path === `/v1/checkout/sessions/${order.checkoutSessionId}`,
        ).length;
      const before = await looks();
      await world.stripe.sendEvent({ type: 'review.opened', object });
      // The order has looked, and nothing is paid yet.
      await world.until(async () => expect(await looks()).toBeGreaterThan(before));
      await lose(['review.opened']);
      await world.stripe.addWebhookRule({
        types: ['checkout.session.async_payment_succeeded'],
        action: { type: 'hold' },
        probability: 1,
      });
      await world.stripe.settle(order.checkoutSessionId!, 'succeeded');
      const [charge] = (await world.stripe.ledger(order.orderId)).charges;
      const review = await world.stripe.openReview(charge!.id);
      await world.stripe.releaseEvents();
      const held = await world.untilEvent(order.orderId, 'fulfillment.held');
      expect(held.timeline.at(-1)?.detail).toBe('The shipment waits: the payment is in review at Stripe.');
      await world.stripe.closeReview(review.id, 'approved');
      await world.untilStatus(order.orderId, 'FINISHED');
      stock -= 1;
    });

    test('a held order can be cancelled by its customer: the money goes back', async () => {
      const paid = await paidUnheard();
      await world.stripe.openFraudWarning(paid.chargeId);
      await world.untilEvent(paid.order.orderId, 'fulfillment.held');
      expect((await world.cancel(paid.order)).status).toBe(200);
      expect(await expectNotShipped(paid)).toMatchObject({ status: 'REFUNDED' });
      expect((await world.stripe.ledger(paid.order.orderId)).refunds).toHaveLength(1);
    });
  });

  describe('after the goods left', () => {
    test.each(WAYS_BACK)('$how: the order becomes REFUNDED, and its goods stay gone', async ({ goBack }) => {
      const paid = await pay(await world.orderWaitingForPayment());
      await world.untilStatus(paid.order.orderId, 'FINISHED');
      stock -= 1;
      await world.workflowResult(paid.order.orderId);
      await goBack(world.stripe, paid);
      const refunded = await world.untilStatus(paid.order.orderId, 'REFUNDED');
      expect(refunded).toMatchObject({ keptAmountMinor: 0, trackingNumber: expect.any(String) });
      expect(await world.stockOf(PENCIL)).toBe(stock);
    });

    test('a part: a note, and the order stays FINISHED', async () => {
      const paid = await pay(await world.orderWaitingForPayment());
      await world.untilStatus(paid.order.orderId, 'FINISHED');
      stock -= 1;
      await world.workflowResult(paid.order.orderId);
      await world.stripe.refundAtDashboard(paid.paymentIntentId, { amountMinor: 30 });
      const noted = await world.untilEvent(paid.order.orderId, 'payment.refunded');
      expect(noted).toMatchObject({ status: 'FINISHED', keptAmountMinor: 70 });
      await world.stripe.refundAtDashboard(paid.paymentIntentId);
      await world.untilStatus(paid.order.orderId, 'REFUNDED');
    });

    test('entries of a dispute stand in their order, however its events come', async () => {
      const paid = await pay(await world.orderWaitingForPayment());
      await world.untilStatus(paid.order.orderId, 'FINISHED');
      stock -= 1;
      await world.workflowResult(paid.order.orderId);
      await world.stripe.addWebhookRule({
        types: ['charge.dispute.created'],
        action: { type: 'hold' },
        probability: 1,
      });
      const { id } = await world.stripe.openDispute(paid.chargeId);
      await world.stripe.submitEvidence(id);
      await world.untilEvent(paid.order.orderId, 'dispute.updated');
      await world.stripe.closeDispute(id, 'won');
      await world.untilEvent(paid.order.orderId, 'dispute.closed');
      await world.stripe.releaseEvents();
      await world.until(async () => {
        const pending = (await world.stripe.deliveries()).filter(
          ({ status }) => status === 'held' || status === 'pending',
        );
        expect(pending).toEqual([]);
      });
      const disputed = eventsOf(await world.order(paid.order.orderId)).slice(-3);
      expect(disputed).toEqual(['payment.disputed', 'dispute.updated', 'dispute.closed']);
    });
  });
});

describe('money that is not ours', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.stop());

  test("a buyer of something else who types an order's id into the link's address is not refunded", async () => {
    const cancelled = await world.orderWaitingForPayment();
    await world.cancel(cancelled);
    const before = await world.untilStatus(cancelled.orderId, 'CANCELLED');
    await world.workflowResult(cancelled.orderId);
    const waiting = await world.orderWaitingForPayment();
    for (const { orderId } of [cancelled, waiting]) {
      await world.stripe.payLinkSale({ clientReferenceId: orderId, amountMinor: 100, currency: 'usd' });
    }
    await world.until(async () => {
      const open = (await world.stripe.deliveries()).filter(({ status }) => status !== 'delivered');
      expect(open).toEqual([]);
    });
    // The order that is paid now shows that whatever the others would have started has had its time.
    await world.finishedOrder();
    expect((await world.stripe.ledger()).refunds).toEqual([]);
    expect(await world.order(cancelled.orderId)).toEqual(before);
    expect((await world.order(waiting.orderId)).status).toBe('WAITING_FOR_PAYMENT');
    await world.cancel(waiting);
  });

  test('a payment of ours on another page of the order goes back, and keeps nobody waiting', async () => {
    await world.stripe.refuseRefunds(2);
    const order = await world.orderWaitingForPayment();
    const stray = await chargeApart(world, order);
    await tellPaid(world, order, { id: 'cs_test_other', payment_intent: stray });
    // Its refund is refused for now; the order goes its way anyway.
    await world.pay(order);
    const finished = await world.untilStatus(order.orderId, 'FINISHED');
    expect(eventsOf(finished)).not.toContain('payment.returned');
    await world.untilEvent(order.orderId, 'payment.returned');
    const { charges } = await world.stripe.ledger(order.orderId);
    expect(charges.map(({ amountRefundedMinor }) => amountRefundedMinor)).toEqual([100, 0]);
  });
});

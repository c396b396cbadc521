import type { Stripe } from 'stripe';
import { describe, expect, test } from 'vitest';
import { eventsOf, orderParams, paidOrder, startSandbox, type TestSandbox } from './testing/test-support.ts';

async function reviewedOrder(world: TestSandbox) {
  const order = await paidOrder(world, '4000000000009235');
  const { review } = await world.stripe.charges.retrieve(order.chargeId);
  if (typeof review !== 'string') throw new Error('The charge is in no review.');
  return { ...order, reviewId: review };
}

describe('reviews', () => {
  test('a card of elevated risk pays, and its payment is put in review', async () => {
    const world = await startSandbox();
    const types = await eventsOf(world, () => reviewedOrder(world));
    expect(types).toEqual([
      'payment_intent.created',
      'charge.succeeded',
      'review.opened',
      'payment_intent.succeeded',
      'checkout.session.completed',
    ]);
    const [charge] = (await world.admin.ledger('order_1')).charges;
    const reviewId = charge?.reviewId ?? '';
    expect(await world.stripe.reviews.retrieve(reviewId)).toMatchObject({
      object: 'review',
      charge: charge?.id,
      payment_intent: charge?.paymentIntentId,
      open: true,
      opened_reason: 'rule',
      reason: 'rule',
      closed_reason: null,
    });
    expect(await world.stripe.charges.retrieve(charge?.id ?? '')).toMatchObject({
      paid: true,
      review: reviewId,
      outcome: { risk_level: 'elevated', type: 'manual_review', reason: 'elevated_risk_level' },
    });
  });

  test('are expanded from the charge, the payment intent and the session', async () => {
    const world = await startSandbox();
    const { sessionId, paymentIntentId, reviewId } = await reviewedOrder(world);
    const paymentIntent = await world.stripe.paymentIntents.retrieve(paymentIntentId, {
      expand: ['review', 'latest_charge.review'],
    });
    expect(paymentIntent).toMatchObject({
      review: { id: reviewId, open: true },
      latest_charge: { review: { id: reviewId } },
    });
    const session = await world.stripe.checkout.sessions.retrieve(sessionId, {
      expand: ['payment_intent.latest_charge.review'],
    });
    expect((session.payment_intent as Stripe.PaymentIntent).latest_charge).toMatchObject({ review: { id: reviewId } });
    const unreviewed = await paidOrder(world, undefined, 'unreviewed');
    const charge = await world.stripe.charges.retrieve(unreviewed.chargeId, { expand: ['review'] });
    expect(charge.review).toBeNull();
  });

  test('one is opened by hand, listed while it is open, and approved by a request once', async () => {
    const world = await startSandbox();
    const { chargeId, paymentIntentId } = await paidOrder(world);
    const { id } = await world.admin.openReview(chargeId);
    expect(await world.stripe.paymentIntents.retrieve(paymentIntentId)).toMatchObject({ review: id });
    await expect(world.admin.openReview(chargeId)).rejects.toThrow('in review already');
    expect((await world.stripe.reviews.list()).data).toMatchObject([{ id, opened_reason: 'manual' }]);
    const approved = await world.stripe.reviews.approve(id, {}, { idempotencyKey: 'approve-1' });
    expect(approved).toMatchObject({
      open: false,
      closed_reason: 'approved',
      reason: 'approved',
      opened_reason: 'manual',
    });
    expect(await world.admin.events('review.closed')).toMatchObject([
      { request: { id: approved.lastResponse.requestId, idempotency_key: 'approve-1' } },
    ]);
    expect((await world.stripe.reviews.list()).data).toEqual([]);
    expect(await world.stripe.charges.retrieve(chargeId)).toMatchObject({ review: id, refunded: false });
    await expect(world.stripe.reviews.approve(id)).rejects.toMatchObject({ statusCode: 400 });
    await expect(world.stripe.reviews.retrieve('prv_none')).rejects.toMatchObject({ code: 'resource_missing' });
    // It can be reviewed again.
    const { id: second } = await world.admin.openReview(chargeId, 'rule');
    expect(await world.stripe.charges.retrieve(chargeId)).toMatchObject({ review: second });
  });

  test.each([
    ['approved', [], []],
    ['refunded', ['refund.created', 'charge.refunded'], ['requested_by_customer']],
    ['refunded_as_fraud', ['refund.created', 'charge.refunded'], ['fraudulent']],
    ['disputed', ['charge.dispute.created', 'charge.dispute.funds_withdrawn'], []],
  ] as const)('one closes as %s by what that means', async (reason, before, refundReasons) => {
    const world = await startSandbox();
    const { reviewId, paymentIntentId } = await reviewedOrder(world);
    expect(await eventsOf(world, () => world.admin.closeReview(reviewId, reason))).toEqual([
      ...before,
      'review.closed',
    ]);
    expect(await world.stripe.reviews.retrieve(reviewId)).toMatchObject({ open: false, closed_reason: reason, reason });
    const { data } = await world.stripe.refunds.list({ payment_intent: paymentIntentId });
    expect(data.map((refund) => refund.reason)).toEqual(refundReasons);
    // Again it changes nothing; another reason is refused.
    expect(await eventsOf(world, () => world.admin.closeReview(reviewId, reason))).toEqual([]);
    const other = reason === 'approved' ? 'refunded' : 'approved';
    await expect(world.admin.closeReview(reviewId, other)).rejects.toThrow(`is closed: ${reason}`);
  });

  test('a refund in part leaves one open; the rest closes it', async () => {
    const world = await startSandbox();
    const { reviewId, paymentIntentId } = await reviewedOrder(world);
    await world.stripe.refunds.create({ payment_intent: paymentIntentId, amount: 100 });
    expect(await world.stripe.reviews.retrieve(reviewId)).toMatchObject({ open: true });
    await world.stripe.refunds.create({ payment_intent: paymentIntentId, reason: 'fraudulent' });
    expect(await world.stripe.reviews.retrieve(reviewId)).toMatchObject({ closed_reason: 'refunded_as_fraud' });
  });

  test('only a payment that has its money is put in review', async () => {
    const world = await startSandbox();
    const { chargeId, paymentIntentId } = await paidOrder(world);
    await world.admin.refundAtDashboard(paymentIntentId);
    await expect(world.admin.openReview(chargeId)).rejects.toThrow('has been refunded');
    const { id } = await world.stripe.checkout.sessions.create(orderParams('debited'));
    await world.admin.pay(id, { method: 'bank_debit' });
    const [pending] = (await world.admin.ledger('debited')).charges;
    await expect(world.admin.openReview(pending?.id ?? '')).rejects.toThrow('took no money');
  });
});

describe('early fraud warnings', () => {
  test('Stripe’s card for it pays, and then its bank warns', async () => {
    const world = await startSandbox();
    const { chargeId, paymentIntentId } = await paidOrder(world, '4000000000005423');
    expect((await world.admin.events()).map(({ type }) => type).at(-1)).toBe('radar.early_fraud_warning.created');
    const { data } = await world.stripe.radar.earlyFraudWarnings.list({ payment_intent: paymentIntentId });
    expect(data).toMatchObject([
      { actionable: true, charge: chargeId, payment_intent: paymentIntentId, fraud_type: 'misc' },
    ]);
    const warning = await world.stripe.radar.earlyFraudWarnings.retrieve(data[0]?.id ?? '', { expand: ['charge'] });
    expect(warning.charge).toMatchObject({ id: chargeId, amount: 4500 });
  });

  test('are opened by hand, and filtered by charge and payment intent', async () => {
    const world = await startSandbox();
    const one = await paidOrder(world, undefined, 'one');
    const other = await paidOrder(world, undefined, 'other');
    const { id } = await world.admin.openFraudWarning(one.chargeId, 'made_with_stolen_card');
    await world.admin.openFraudWarning(other.chargeId);
    const warnings = world.stripe.radar.earlyFraudWarnings;
    for (const filter of [{ charge: one.chargeId }, { payment_intent: one.paymentIntentId }]) {
      expect((await warnings.list(filter)).data).toMatchObject([{ id, fraud_type: 'made_with_stolen_card' }]);
    }
    expect((await warnings.list()).data).toHaveLength(2);
    expect((await warnings.list({ charge: one.chargeId, payment_intent: other.paymentIntentId })).data).toEqual([]);
    await expect(warnings.retrieve('issfr_none')).rejects.toMatchObject({ code: 'resource_missing' });
  });

  test.each(['refund', 'dispute'] as const)('a %s leaves nothing to do about one', async (what) => {
    const world = await startSandbox();
    const { chargeId, paymentIntentId } = await paidOrder(world);
    const { id } = await world.admin.openFraudWarning(chargeId);
    await world.stripe.refunds.create({ payment_intent: paymentIntentId, amount: 100 });
    expect(await world.stripe.radar.earlyFraudWarnings.retrieve(id)).toMatchObject({ actionable: true });
    if (what === 'refund') await world.admin.refundAtDashboard(paymentIntentId);
    else await world.admin.openDispute(chargeId);
    expect(await world.stripe.radar.earlyFraudWarnings.retrieve(id)).toMatchObject({ actionable: false });
    expect((await world.admin.events('radar.early_fraud_warning.updated'))[0]?.data).toMatchObject({
      previous_attributes: { actionable: true },
    });
    const late = await world.admin.openFraudWarning(chargeId);
    expect(await world.stripe.radar.earlyFraudWarnings.retrieve(late.id)).toMatchObject({ actionable: false });
  });
});

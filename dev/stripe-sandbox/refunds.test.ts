import type { Stripe } from 'stripe';
import { describe, expect, test, vi } from 'vitest';
import { orderParams, startReceiver, startSandbox, type TestSandbox } from './testing/test-support.ts';

async function paidOrder({ stripe, admin }: TestSandbox, card?: string) {
  const { id } = await stripe.checkout.sessions.create(orderParams());
  await admin.pay(id, card === undefined ? {} : { card });
  const [charge] = (await admin.ledger()).charges;
  if (charge === undefined || charge.paymentIntentId === null) throw new Error('Nothing was charged.');
  return { chargeId: charge.id, paymentIntentId: charge.paymentIntentId };
}

describe('refunds', () => {
  test('a full refund happens once', async () => {
    const receiver = await startReceiver();
    const world = await startSandbox({ webhookUrl: receiver.url });
    const { chargeId, paymentIntentId } = await paidOrder(world);
    const refund = await world.stripe.refunds.create({
      payment_intent: paymentIntentId,
      reason: 'requested_by_customer',
      metadata: { order_id: 'order_1' },
    });
    expect(refund).toMatchObject({
      amount: 4500,
      status: 'succeeded',
      charge: chargeId,
      metadata: { order_id: 'order_1' },
    });
    await expect(world.stripe.refunds.create({ payment_intent: paymentIntentId })).rejects.toMatchObject({
      statusCode: 400,
      code: 'charge_already_refunded',
    });
    const charge = await world.stripe.charges.retrieve(chargeId, { expand: ['refunds'] });
    expect(charge).toMatchObject({ refunded: true, amount_refunded: 4500, refunds: { data: [{ id: refund.id }] } });
    expect((await world.stripe.refunds.list({ payment_intent: paymentIntentId })).data).toHaveLength(1);
    expect((await world.admin.ledger('order_1')).refunds).toMatchObject([{ id: refund.id, amountMinor: 4500 }]);
    await vi.waitFor(
      () => expect(receiver.types()).toEqual(expect.arrayContaining(['refund.created', 'charge.refunded'])),
      5000,
    );
  });

  test('parts add up to the whole, and not to more', async () => {
    const world = await startSandbox();
    const { paymentIntentId, chargeId } = await paidOrder(world);
    await world.stripe.refunds.create({ payment_intent: paymentIntentId, amount: 1000 });
    await expect(world.stripe.refunds.create({ charge: chargeId, amount: 3501 })).rejects.toMatchObject({
      statusCode: 400,
      param: 'amount',
    });
    expect(await world.stripe.refunds.create({ charge: chargeId })).toMatchObject({ amount: 3500 });
    expect((await world.admin.ledger()).charges).toMatchObject([{ amountRefundedMinor: 4500 }]);
  });

  test('nothing to refund: no such payment intent, not paid, no reason of Stripe', async () => {
    const { stripe, admin } = await startSandbox();
    const { id } = await stripe.checkout.sessions.create(orderParams());
    const { paymentIntentId } = await admin.pay(id, { card: '4000000000000002' });
    await expect(stripe.refunds.create({ payment_intent: paymentIntentId ?? '' })).rejects.toMatchObject({
      statusCode: 400,
    });
    await expect(stripe.refunds.create({ payment_intent: 'pi_none' })).rejects.toMatchObject({
      code: 'resource_missing',
    });
    await expect(stripe.refunds.create({})).rejects.toMatchObject({ code: 'parameter_missing' });
    const reason = 'because' as Stripe.RefundCreateParams.Reason;
    await expect(stripe.refunds.create({ charge: 'ch_1', reason })).rejects.toMatchObject({ param: 'reason' });
    expect((await admin.ledger()).refunds).toEqual([]);
  });

  test('a refund that fails later leaves the charge not refunded', async () => {
    const receiver = await startReceiver();
    const world = await startSandbox({ webhookUrl: receiver.url });
    const { paymentIntentId, chargeId } = await paidOrder(world);
    const refund = await world.stripe.refunds.create({ payment_intent: paymentIntentId });
    await world.admin.failRefund(refund.id);
    expect(await world.stripe.refunds.retrieve(refund.id)).toMatchObject({
      status: 'failed',
      failure_reason: 'lost_or_stolen_card',
    });
    expect(await world.stripe.charges.retrieve(chargeId)).toMatchObject({ refunded: false, amount_refunded: 0 });
    await vi.waitFor(() => expect(receiver.types()).toContain('refund.failed'), 5000);
    await expect(world.admin.failRefund(refund.id)).rejects.toThrow('its status is failed');
    expect(await world.stripe.refunds.create({ payment_intent: paymentIntentId })).toMatchObject({
      status: 'succeeded',
    });
  });

  test('scripted refusals: this many, each kept under its key', async () => {
    const world = await startSandbox();
    const { paymentIntentId } = await paidOrder(world);
    await world.admin.refuseRefunds(2);
    const refund = (idempotencyKey: string) =>
      world.stripe.refunds.create({ payment_intent: paymentIntentId }, { idempotencyKey });
    for (const key of ['k1', 'k2', 'k1'])
      await expect(refund(key)).rejects.toMatchObject({ code: 'balance_insufficient' });
    expect(await refund('k3')).toMatchObject({ status: 'succeeded' });
  });
});

describe('disputes', () => {
  test('a card pays and is disputed, after the payment is complete; a disputed charge is not refunded', async () => {
    const world = await startSandbox();
    const { paymentIntentId, chargeId } = await paidOrder(world, '4000000000000259');
    expect((await world.admin.events()).map(({ type }) => type).slice(-2)).toEqual([
      'charge.dispute.created',
      'charge.dispute.funds_withdrawn',
    ]);
    await expect(world.stripe.refunds.create({ payment_intent: paymentIntentId })).rejects.toMatchObject({
      code: 'charge_disputed',
    });
    const { data } = await world.stripe.disputes.list({ payment_intent: paymentIntentId });
    expect(data).toMatchObject([{ charge: chargeId, status: 'needs_response', reason: 'fraudulent', amount: 4500 }]);
    await world.admin.closeDispute(data[0]?.id ?? '', 'won');
    await expect(world.stripe.refunds.create({ payment_intent: paymentIntentId })).resolves.toBeDefined();
  });

  test('a dispute is opened by hand, lost, and closed once', async () => {
    const world = await startSandbox();
    const { chargeId } = await paidOrder(world);
    const { id } = await world.admin.openDispute(chargeId, 'product_not_received');
    await expect(world.admin.openDispute(chargeId)).rejects.toThrow('disputed already');
    await world.admin.closeDispute(id, 'lost');
    await expect(world.admin.closeDispute(id, 'won')).rejects.toThrow('is closed: lost');
    expect((await world.admin.ledger('order_1')).disputes).toMatchObject([{ id, status: 'lost', chargeId }]);
  });
});

import type { Stripe } from 'stripe';
import { describe, expect, test, vi } from 'vitest';
import { eventsOf, orderParams, paidOrder, startReceiver, startSandbox } from './testing/test-support.ts';

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

describe('refunds at the dashboard', () => {
  test('have no metadata, and no request', async () => {
    const world = await startSandbox();
    const { paymentIntentId, chargeId } = await paidOrder(world);
    const first = await world.admin.refundAtDashboard(paymentIntentId, { amountMinor: 1000, reason: 'duplicate' });
    expect(first).toMatchObject({ status: 'succeeded', amountMinor: 1000 });
    const refund = await world.stripe.refunds.retrieve(first.id);
    expect(refund).toMatchObject({ amount: 1000, reason: 'duplicate', payment_intent: paymentIntentId });
    expect(refund.metadata).toEqual({});
    for (const type of ['refund.created', 'charge.refunded']) {
      expect(await world.admin.events(type)).toMatchObject([{ request: { id: null, idempotency_key: null } }]);
    }
    expect(await world.stripe.charges.retrieve(chargeId)).toMatchObject({ refunded: false, amount_refunded: 1000 });
    await world.admin.refundAtDashboard(paymentIntentId, { amountMinor: 1 });
    expect(await world.admin.refundAtDashboard(paymentIntentId)).toMatchObject({ amountMinor: 3499 });
    expect(await world.stripe.charges.retrieve(chargeId)).toMatchObject({ refunded: true, amount_refunded: 4500 });
    await expect(world.admin.refundAtDashboard(paymentIntentId)).rejects.toThrow('already been refunded');
  });

  test('a pending one counts on the charge at once, and then reaches the customer', async () => {
    const world = await startSandbox();
    const { paymentIntentId, chargeId } = await paidOrder(world);
    const { id } = await world.admin.refundAtDashboard(paymentIntentId, { pending: true });
    expect(await world.stripe.refunds.retrieve(id)).toMatchObject({ status: 'pending', pending_reason: 'processing' });
    expect(await world.stripe.charges.retrieve(chargeId)).toMatchObject({ refunded: true, amount_refunded: 4500 });
    expect(await eventsOf(world, () => world.admin.settleRefund(id))).toEqual([
      'charge.refund.updated',
      'refund.updated',
    ]);
    const settled = await world.stripe.refunds.retrieve(id);
    expect(settled.status).toBe('succeeded');
    expect(settled).not.toHaveProperty('pending_reason');
    expect((await world.admin.events('refund.updated'))[0]?.data).toMatchObject({
      object: { id, status: 'succeeded' },
      previous_attributes: { status: 'pending', pending_reason: 'processing' },
    });
    await expect(world.admin.settleRefund(id)).rejects.toThrow('is not pending; its status is succeeded');
  });

  test('a pending one that fails gives the charge its amount back, and no other', async () => {
    const world = await startSandbox();
    const { paymentIntentId, chargeId } = await paidOrder(world);
    await world.admin.refundAtDashboard(paymentIntentId, { amountMinor: 500 });
    const { id } = await world.admin.refundAtDashboard(paymentIntentId, { pending: true });
    expect(await eventsOf(world, () => world.admin.failRefund(id, 'declined'))).toEqual([
      'charge.refund.updated',
      'refund.updated',
      'refund.failed',
    ]);
    expect(await world.stripe.refunds.retrieve(id)).toMatchObject({ status: 'failed', failure_reason: 'declined' });
    expect(await world.stripe.charges.retrieve(chargeId)).toMatchObject({ refunded: false, amount_refunded: 500 });
    await expect(world.admin.settleRefund(id)).rejects.toThrow('its status is failed');
    expect(await world.stripe.refunds.create({ charge: chargeId })).toMatchObject({ amount: 4000 });
  });

  test('Stripe’s card for it makes the refunds of requests pending too', async () => {
    const world = await startSandbox();
    const { paymentIntentId } = await paidOrder(world, '4000000000007726');
    const { id, status } = await world.stripe.refunds.create({ payment_intent: paymentIntentId });
    expect(status).toBe('pending');
    expect(await world.admin.settleRefund(id)).toEqual({ status: 'succeeded' });
  });

  test('lists of refunds are filtered by payment intent and time of creation', async () => {
    const world = await startSandbox();
    const one = await paidOrder(world, undefined, 'one');
    const other = await paidOrder(world, undefined, 'other');
    const { id } = await world.admin.refundAtDashboard(one.paymentIntentId, { amountMinor: 100 });
    await world.admin.refundAtDashboard(other.paymentIntentId);
    const { created } = await world.stripe.refunds.retrieve(id);
    const idsOf = async (filter: Stripe.RefundListParams) =>
      (await world.stripe.refunds.list({ payment_intent: one.paymentIntentId, ...filter })).data.map(
        (refund) => refund.id,
      );
    expect(await idsOf({})).toEqual([id]);
    expect(await idsOf({ created: { gte: created, lt: created + 1 } })).toEqual([id]);
    expect(await idsOf({ created: { lt: created } })).toEqual([]);
    expect(await idsOf({ created: { gt: created } })).toEqual([]);
  });

  test('a part that the currency does not have is refused', async () => {
    const world = await startSandbox();
    const { paymentIntentId } = await world.admin.payLinkSale({
      clientReferenceId: 'x',
      amountMinor: 1000,
      currency: 'ugx',
    });
    await expect(world.stripe.refunds.create({ payment_intent: paymentIntentId, amount: 550 })).rejects.toMatchObject({
      code: 'invalid_charge_amount_no_decimal_compatible',
    });
    expect(await world.admin.refundAtDashboard(paymentIntentId, { amountMinor: 500 })).toMatchObject({
      amountMinor: 500,
    });
  });
});

test('a change of a refund’s metadata is an event', async () => {
  const world = await startSandbox();
  const { paymentIntentId } = await paidOrder(world);
  const { id } = await world.stripe.refunds.create({ payment_intent: paymentIntentId, metadata: { a: '1' } });
  const types = await eventsOf(world, () => world.stripe.refunds.update(id, { metadata: { b: '2' } }));
  expect(types).toEqual(['charge.refund.updated', 'refund.updated']);
  expect((await world.admin.events('refund.updated'))[0]?.data).toMatchObject({
    object: { metadata: { a: '1', b: '2' } },
    previous_attributes: { metadata: { a: '1' } },
  });
});

import { describe, expect, test } from 'vitest';
import { eventsOf, paidOrder, startSandbox, type TestSandbox } from './testing/test-support.ts';

const refundOf = (world: TestSandbox, paymentIntentId: string, amount?: number) =>
  world.stripe.refunds.create({ payment_intent: paymentIntentId, ...(amount === undefined ? {} : { amount }) });

describe('disputes', () => {
  test('a card pays and is disputed, after the payment is complete; a disputed charge is not refunded', async () => {
    const world = await startSandbox();
    const { paymentIntentId, chargeId } = await paidOrder(world, '4000000000000259');
    expect((await world.admin.events()).map(({ type }) => type).slice(-3)).toEqual([
      'checkout.session.completed',
      'charge.dispute.created',
      'charge.dispute.funds_withdrawn',
    ]);
    await expect(refundOf(world, paymentIntentId)).rejects.toMatchObject({ code: 'charge_disputed' });
    const { data } = await world.stripe.disputes.list({ payment_intent: paymentIntentId });
    expect(data).toMatchObject([
      {
        charge: chargeId,
        status: 'needs_response',
        reason: 'fraudulent',
        amount: 4500,
        is_charge_refundable: false,
        balance_transactions: [{ amount: -4500, net: -4500, type: 'adjustment', source: data[0]?.id }],
      },
    ]);
  });

  test('a dispute that is won brings the money back, and the charge can be refunded', async () => {
    const world = await startSandbox();
    const { paymentIntentId, chargeId } = await paidOrder(world);
    const { id } = await world.admin.openDispute(chargeId);
    expect(await eventsOf(world, () => world.admin.closeDispute(id, 'won'))).toEqual([
      'charge.dispute.closed',
      'charge.dispute.funds_reinstated',
    ]);
    expect(await world.stripe.disputes.retrieve(id)).toMatchObject({
      status: 'won',
      is_charge_refundable: true,
      balance_transactions: [{ amount: -4500 }, { amount: 4500, reporting_category: 'dispute_reversal' }],
    });
    expect(await refundOf(world, paymentIntentId)).toMatchObject({ amount: 4500 });
  });

  test('a dispute is lost, closes once, and nothing of the charge is refunded any more', async () => {
    const world = await startSandbox();
    const { chargeId, paymentIntentId } = await paidOrder(world);
    const { id } = await world.admin.openDispute(chargeId, 'product_not_received', { amountMinor: 1500 });
    await expect(world.admin.openDispute(chargeId)).rejects.toThrow('disputed already');
    expect(await eventsOf(world, () => world.admin.closeDispute(id, 'lost'))).toEqual(['charge.dispute.closed']);
    await expect(world.admin.closeDispute(id, 'won')).rejects.toThrow('is closed: lost');
    await expect(world.admin.openDispute(chargeId)).rejects.toThrow('disputed already');
    await expect(refundOf(world, paymentIntentId)).rejects.toMatchObject({ code: 'charge_disputed' });
    await expect(refundOf(world, paymentIntentId, 100)).rejects.toMatchObject({ code: 'charge_disputed' });
    expect((await world.admin.ledger('order_1')).disputes).toMatchObject([
      { id, status: 'lost', chargeId, amountMinor: 1500, lostMinor: 1500 },
    ]);
  });

  test('evidence is submitted once, and then the bank looks at it', async () => {
    const world = await startSandbox();
    const { chargeId } = await paidOrder(world);
    const { id } = await world.admin.openDispute(chargeId);
    const types = await eventsOf(world, () => world.admin.submitEvidence(id));
    expect(types).toEqual(['charge.dispute.updated']);
    expect((await world.admin.events('charge.dispute.updated'))[0]?.data).toMatchObject({
      object: {
        status: 'under_review',
        evidence_details: { has_evidence: true, submission_count: 1, submission_method: 'manual' },
      },
      previous_attributes: { status: 'needs_response', evidence_details: { submission_count: 0 } },
    });
    await expect(world.admin.submitEvidence(id)).rejects.toThrow('its status is under_review');
    await expect(world.admin.closeDispute(id, 'warning_closed')).rejects.toThrow('cannot end as warning_closed');
    expect(await world.admin.closeDispute(id, 'won')).toEqual({ status: 'won' });
  });

  test('of a charge that was refunded in part, what is left is disputed', async () => {
    const world = await startSandbox();
    const { chargeId, paymentIntentId } = await paidOrder(world);
    await refundOf(world, paymentIntentId, 1000);
    const { id } = await world.admin.openDispute(chargeId);
    expect(await world.stripe.disputes.retrieve(id)).toMatchObject({ amount: 3500 });
  });

  test('a bank may dispute the whole of it anyway; lost, the part that was refunded comes back', async () => {
    const world = await startSandbox();
    const { chargeId, paymentIntentId } = await paidOrder(world);
    await refundOf(world, paymentIntentId, 1000);
    await expect(world.admin.openDispute(chargeId, 'general', { amountMinor: 4501 })).rejects.toThrow('$45.00');
    const { id } = await world.admin.openDispute(chargeId, 'general', { amountMinor: 4500 });
    expect((await world.admin.ledger()).totals).toMatchObject([
      { refundedMinor: 1000, lostMinor: 4500, keptMinor: -1000 },
    ]);
    expect(await eventsOf(world, () => world.admin.closeDispute(id, 'lost'))).toEqual([
      'charge.dispute.closed',
      'charge.dispute.funds_reinstated',
    ]);
    expect(await world.stripe.disputes.retrieve(id)).toMatchObject({
      status: 'lost',
      is_charge_refundable: false,
      balance_transactions: [{ amount: -4500 }, { amount: 1000 }],
    });
    expect((await world.admin.ledger()).totals).toMatchObject([{ refundedMinor: 1000, lostMinor: 3500, keptMinor: 0 }]);
  });

  test('a charge that was refunded in full, or took no money, is not disputed', async () => {
    const world = await startSandbox();
    const { chargeId, paymentIntentId } = await paidOrder(world);
    await refundOf(world, paymentIntentId);
    await expect(world.admin.openDispute(chargeId)).rejects.toThrow('refunded in full');
    const declined = await paidOrder(world, '4000000000000002', 'declined');
    await expect(world.admin.openDispute(declined.chargeId)).rejects.toThrow('took no money');
    await expect(world.admin.openDispute('ch_none')).rejects.toThrow('No such charge');
  });

  test('a refund that is pending fails when its charge is disputed', async () => {
    const world = await startSandbox();
    const { chargeId, paymentIntentId } = await paidOrder(world);
    const { id } = await world.admin.refundAtDashboard(paymentIntentId, { pending: true });
    await world.admin.openDispute(chargeId);
    expect(await world.stripe.refunds.retrieve(id)).toMatchObject({
      status: 'failed',
      failure_reason: 'charge_for_pending_refund_disputed',
    });
    expect(await world.stripe.charges.retrieve(chargeId)).toMatchObject({ amount_refunded: 0, disputed: true });
    expect((await world.admin.ledger()).totals).toMatchObject([{ refundedMinor: 0, lostMinor: 4500, keptMinor: 0 }]);
  });
});

describe('inquiries', () => {
  test('take no money, and the charge can be refunded in part', async () => {
    const world = await startSandbox();
    const { chargeId, paymentIntentId } = await paidOrder(world);
    let id = '';
    const types = await eventsOf(world, async () => {
      ({ id } = await world.admin.openDispute(chargeId, 'unrecognized', { inquiry: true }));
    });
    expect(types).toEqual(['charge.dispute.created']);
    expect(await world.stripe.disputes.retrieve(id)).toMatchObject({
      status: 'warning_needs_response',
      is_charge_refundable: true,
      balance_transactions: [],
    });
    expect((await world.admin.ledger()).disputes).toMatchObject([{ lostMinor: 0 }]);
    expect(await refundOf(world, paymentIntentId, 1000)).toMatchObject({ status: 'succeeded' });
    expect((await world.stripe.disputes.retrieve(id)).status).toBe('warning_needs_response');
    expect(await world.admin.submitEvidence(id)).toEqual({ status: 'warning_under_review' });
    await expect(world.admin.closeDispute(id, 'won')).rejects.toThrow('cannot end as won');
    await expect(world.admin.closeDispute(id, 'lost')).rejects.toThrow('cannot end as lost');
    expect(await eventsOf(world, () => world.admin.closeDispute(id, 'warning_closed'))).toEqual([
      'charge.dispute.closed',
    ]);
    expect(await refundOf(world, paymentIntentId)).toMatchObject({ amount: 3500 });
  });

  test('a refund in full closes one', async () => {
    const world = await startSandbox();
    const { paymentIntentId } = await paidOrder(world, '4000000000001976');
    expect(await eventsOf(world, () => refundOf(world, paymentIntentId))).toEqual([
      'refund.created',
      'charge.refunded',
      'charge.dispute.closed',
    ]);
    const { data } = await world.stripe.disputes.list({ payment_intent: paymentIntentId });
    expect(data).toMatchObject([{ status: 'warning_closed', is_charge_refundable: false }]);
    await expect(world.admin.escalateInquiry(data[0]?.id ?? '')).rejects.toThrow('its status is warning_closed');
  });

  test('one becomes a dispute when the bank takes the money back', async () => {
    const world = await startSandbox();
    const { chargeId, paymentIntentId } = await paidOrder(world);
    const { id } = await world.admin.openDispute(chargeId, 'general', { inquiry: true });
    expect(await eventsOf(world, () => world.admin.escalateInquiry(id))).toEqual([
      'charge.dispute.updated',
      'charge.dispute.funds_withdrawn',
    ]);
    expect(await world.stripe.disputes.retrieve(id)).toMatchObject({
      status: 'needs_response',
      is_charge_refundable: false,
      balance_transactions: [{ amount: -4500 }],
    });
    await expect(refundOf(world, paymentIntentId)).rejects.toMatchObject({ code: 'charge_disputed' });
    await expect(world.admin.escalateInquiry(id)).rejects.toThrow('no open inquiry');
  });
});

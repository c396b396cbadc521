import type { Stripe } from 'stripe';
import { expect, test } from 'vitest';
import { orderParams, paidOrder, startSandbox } from './testing/test-support.ts';

test('tells of each order what was charged, refunded, lost and kept, to the cent', async () => {
  const world = await startSandbox();
  const { admin, stripe } = world;
  const kept = await paidOrder(world, undefined, 'kept');
  await stripe.refunds.create({ payment_intent: kept.paymentIntentId, amount: 1 });
  const failed = await admin.refundAtDashboard(kept.paymentIntentId, { amountMinor: 1000 });
  await admin.failRefund(failed.id);
  await admin.refundAtDashboard(kept.paymentIntentId, { amountMinor: 20, pending: true });
  const lost = await paidOrder(world, undefined, 'lost');
  await admin.refundAtDashboard(lost.paymentIntentId, { amountMinor: 300 });
  const dispute = await admin.openDispute(lost.chargeId, 'general', { amountMinor: 777 });
  await admin.closeDispute(dispute.id, 'lost');
  const won = await paidOrder(world, undefined, 'won');
  await admin.closeDispute((await admin.openDispute(won.chargeId)).id, 'won');
  await paidOrder(world, '4000000000001976', 'inquired');
  const declined = await stripe.checkout.sessions.create(orderParams('declined'));
  await admin.pay(declined.id, { card: '4000000000000002' });
  const { id: debited } = await stripe.checkout.sessions.create(orderParams('debited'));
  await admin.pay(debited, { method: 'bank_debit' });

  const { totals } = await admin.ledger();
  expect(
    totals.map((total) => [total.orderId, total.chargedMinor, total.refundedMinor, total.lostMinor, total.keptMinor]),
  ).toEqual([
    ['kept', 4500, 21, 0, 4479],
    ['lost', 4500, 300, 777, 3423],
    ['won', 4500, 0, 0, 4500],
    ['inquired', 4500, 0, 0, 4500],
  ]);
  expect((await admin.ledger('lost')).totals).toEqual(totals.filter(({ orderId }) => orderId === 'lost'));
});

test('a sale by Payment Link belongs to no order, whatever its buyer wrote into the link', async () => {
  const world = await startSandbox();
  const { sessionId } = await paidOrder(world, undefined, 'order_1');
  const sale = await world.admin.payLinkSale({ clientReferenceId: 'order_1', amountMinor: 999, currency: 'EUR' });
  const session = await world.stripe.checkout.sessions.retrieve(sale.sessionId, {
    expand: ['payment_intent.latest_charge'],
  });
  expect(session).toMatchObject({
    client_reference_id: 'order_1',
    payment_link: expect.stringMatching(/^plink_/),
    payment_status: 'paid',
    status: 'complete',
    amount_total: 999,
    currency: 'eur',
    payment_intent: { id: sale.paymentIntentId, latest_charge: { id: sale.chargeId } },
  });
  const paymentIntent = session.payment_intent as Stripe.PaymentIntent;
  const charge = paymentIntent.latest_charge as Stripe.Charge;
  expect([session.metadata, paymentIntent.metadata, charge.metadata]).toEqual([{}, {}, {}]);
  expect((await world.admin.events()).slice(-4)).toMatchObject([
    { type: 'payment_intent.created', request: { id: null, idempotency_key: null } },
    { type: 'charge.succeeded' },
    { type: 'payment_intent.succeeded' },
    { type: 'checkout.session.completed', data: { object: { client_reference_id: 'order_1' } } },
  ]);
  expect((await world.admin.ledger('order_1')).charges).toMatchObject([{ sessionId }]);
  expect((await world.admin.sessions('order_1')).map(({ id }) => id)).toEqual([sessionId]);
  expect((await world.admin.ledger()).totals).toMatchObject([
    { orderId: 'order_1', currency: 'usd', keptMinor: 4500 },
    { orderId: null, currency: 'eur', keptMinor: 999 },
  ]);
});

test('Stripe drops a reference that has other characters, and takes the sale anyway', async () => {
  const { admin, stripe } = await startSandbox();
  const sale = { clientReferenceId: "x' OR 1=1", amountMinor: 100, currency: 'usd' };
  const { sessionId } = await admin.payLinkSale(sale);
  expect(await stripe.checkout.sessions.retrieve(sessionId)).toMatchObject({ client_reference_id: null });
  await expect(admin.payLinkSale({ ...sale, amountMinor: 1 })).rejects.toThrow('at least $0.50');
});

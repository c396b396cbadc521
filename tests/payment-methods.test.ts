import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OrderRecord } from '../database/orders.ts';
import { startWorld, type World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const eventsOf = (order: OrderRecord) => order.timeline.map(({ event }) => event);
const detailOf = (order: OrderRecord, event: string) => order.timeline.find((entry) => entry.event === event)?.detail;

describe.concurrent('a declined card', () => {
  test.each([
    { card: '4000 0000 0000 0002', why: 'it was declined' },
    { card: '4000 0000 0000 9995', why: 'there are insufficient funds' },
    { card: '4000 0000 0000 0069', why: 'the card has expired' },
    { card: '4000 0000 0000 0127', why: 'the card’s security code is wrong' },
    { card: '4000 0000 0000 0119', why: 'it could not be processed just now' },
    // Whoever holds such a card shall not learn that it was reported.
    { card: '4000 0000 0000 9987', why: 'it was declined' },
    { card: '4000 0000 0000 9979', why: 'it was declined' },
  ])('$card: timeline and page say "$why", and the next card pays on the same link', async ({ card, why }) => {
    const order = await world.orderWaitingForPayment();
    expect(await world.pay(order, { card })).toMatchObject({ outcome: 'declined' });
    const declined = await world.untilEvent(order.orderId, 'payment.failed');
    expect(declined.status).toBe('WAITING_FOR_PAYMENT');
    const words = why.replace('’', "'");
    expect(detailOf(declined, 'payment.failed')).toContain(words);
    expect(detailOf(declined, 'payment.failed')).toContain('Nothing was charged; you can try again.');
    expect(await pageText(order)).toContain(words);

    await world.pay(declined);
    const finished = await world.untilStatus(order.orderId, 'FINISHED');
    expect(finished.paymentLink).toBe(order.paymentLink);
    expect(finished.checkoutSessionId).toBe(order.checkoutSessionId);
    const { charges } = await world.stripe.ledger(order.orderId);
    expect(charges.map(({ status }) => status)).toEqual(['failed', 'succeeded']);
  });
});

describe.concurrent('3-D Secure', () => {
  test('that is passed pays the order', async () => {
    const order = await world.orderWaitingForPayment();
    expect(await world.pay(order, { card: '4000002500003155' })).toMatchObject({ outcome: 'requires_action' });
    expect((await world.order(order.orderId)).status).toBe('WAITING_FOR_PAYMENT');
    await world.stripe.authenticate(order.checkoutSessionId!, 'pass');
    await world.untilStatus(order.orderId, 'FINISHED');
  });

  test('that fails charges nothing; the customer tries again and pays', async () => {
    const order = await world.orderWaitingForPayment();
    await world.pay(order, { card: '4000002500003155', threeDSecure: 'fail' });
    const failed = await world.untilEvent(order.orderId, 'payment.failed');
    expect(detailOf(failed, 'payment.failed')).toContain('the confirmation that the bank asked for was not completed');
    expect((await world.stripe.ledger(order.orderId)).charges).toEqual([]);
    await world.pay(order, { card: '4000002500003155', threeDSecure: 'pass' });
    await world.untilStatus(order.orderId, 'FINISHED');
  });
});

describe.concurrent('a delayed method', () => {
  test('waits for the bank, and the order is PAID once it has paid', async () => {
    const order = await world.orderWaitingForPayment();
    await world.pay(order, { method: 'bank_debit' });
    const processing = await world.untilEvent(order.orderId, 'payment.processing');
    expect(processing.status).toBe('WAITING_FOR_PAYMENT');
    expect(await pageText(order)).toContain('being processed');
    await world.stripe.settle(order.checkoutSessionId!, 'succeeded');
    const finished = await world.untilStatus(order.orderId, 'FINISHED');
    expect(eventsOf(finished)).toEqual([
      'order.created',
      'payment.requested',
      'payment.processing',
      'order.paid',
      'order.finished',
    ]);
  });

  test('that the bank does not pay cancels the order, and nobody is told to try again', async () => {
    const order = await world.orderWaitingForPayment();
    await world.pay(order, { method: 'bank_debit' });
    await world.untilEvent(order.orderId, 'payment.processing');
    await world.stripe.settle(order.checkoutSessionId!, 'failed');
    const cancelled = await world.untilStatus(order.orderId, 'CANCELLED');
    expect(detailOf(cancelled, 'order.cancelled')).toContain('The bank did not pay');
    expect(cancelled.timeline.some(({ detail }) => detail.includes('try again'))).toBe(false);
  });
});

// Not beside others: the sandbox would hold their events.
test('a delayed method whose events come the wrong way round is not taken for a declined card', async () => {
  const types = ['checkout.session.completed', 'checkout.session.async_payment_failed'];
  await world.stripe.addWebhookRule({ types, action: { type: 'hold' }, times: 2 });
  const order = await world.orderWaitingForPayment();
  await world.pay(order, { method: 'bank_debit' });
  await world.stripe.settle(order.checkoutSessionId!, 'failed');
  const cancelled = await world.untilStatus(order.orderId, 'CANCELLED');
  await world.stripe.releaseEvents();
  expect(eventsOf(cancelled)).toEqual(['order.created', 'payment.requested', 'order.cancelled']);
  expect(detailOf(cancelled, 'order.cancelled')).toContain('The bank did not pay');
});

async function pageText({ customerId, orderId }: OrderRecord): Promise<string> {
  const query = new URLSearchParams({ 'customer-id': customerId, 'order-id': orderId });
  const response = await fetch(`${world.config.publicUrl}/payment?${query.toString()}`);
  expect(response.status).toBe(200);
  return (await response.text()).replaceAll('&#39;', "'");
}

import { expect, test } from 'vitest';
import type { OrderRecord } from '../../../database/orders.ts';
import { type Charge, notesOn } from '../../../domain/charge.ts';
import { orderRecord, timelineEntry } from '../../testing/fakes.ts';
import { english } from '../languages/english.ts';
import { describeForCustomer, type Notice } from './customer-words.ts';
import { renderPaymentPage } from './payment-page.ts';

const pageOf = (order: OrderRecord) => renderPaymentPage(order, { texts: english });
const wordsOf = (order: OrderRecord, notice?: Notice) => describeForCustomer(order, english, notice);

const CHARGE: Charge = {
  paymentIntentId: 'pi_1',
  orderId: orderRecord().orderId,
  amountMinor: 4500,
  currency: 'USD',
  refundedMinor: 500,
  refunds: [{ refundId: 're_1', amountMinor: 500, status: 'succeeded', orderId: null, failureReason: null }],
  disputes: [{ disputeId: 'du_1', status: 'won', reason: 'fraudulent', amountMinor: 4500 }],
  review: { reviewId: 'prv_1', open: false, reason: 'approved' },
  fraudWarnings: [{ warningId: 'issfr_1', fraudType: 'made_with_stolen_card' }],
  readAtMs: 0,
};

const order = orderRecord({
  status: 'FINISHED',
  timeline: notesOn(CHARGE).map(({ event, detail }, index) =>
    timelineEntry({ seq: index + 1, status: 'FINISHED', event, detail }),
  ),
});

test('a customer is told what was refunded after the order was finished', () => {
  expect(wordsOf(order).alerts).toEqual(['$5.00 of $45.00 was refunded.']);
});

test('the page says nothing of what is between the shop, Stripe and the bank', () => {
  const page = pageOf(order);
  const shown = order.timeline.filter(({ detail }) => page.includes(detail));
  expect(shown.map(({ event }) => event)).toEqual(['payment.refunded']);
  expect(order.timeline.length).toBeGreaterThan(4);
});

test('the page counts the entries that its customer is shown, since its script compares with those', () => {
  const hidden = timelineEntry({ seq: order.timeline.length + 1, status: 'FINISHED', event: 'fulfillment.held' });
  const counted = (timeline: typeof order.timeline) =>
    /data-seq="(?<count>\d+)"/.exec(pageOf({ ...order, seq: timeline.length, timeline }))?.groups?.['count'];
  expect(counted(order.timeline)).toBe('1');
  expect(counted([...order.timeline, hidden])).toBe('1');
});

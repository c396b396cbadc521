import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Charge, type Dispute, doubtsAbout, keptOf, notesOn, type Refund, wayBackOf } from './charge.ts';

const charge = (changes: Partial<Charge> = {}): Charge => ({
  paymentIntentId: 'pi_1',
  orderId: 'order-1',
  amountMinor: 2000,
  currency: 'USD',
  refundedMinor: 0,
  refunds: [],
  disputes: [],
  review: null,
  fraudWarnings: [],
  readAtMs: 0,
  ...changes,
});
const dispute = (status: string, amountMinor = 2000): Dispute => ({
  disputeId: 'du_1',
  status,
  reason: 'fraudulent',
  amountMinor,
});
const refund = (amountMinor: number, changes: Partial<Refund> = {}): Refund => ({
  refundId: 're_1',
  amountMinor,
  status: 'succeeded',
  orderId: null,
  failureReason: null,
  ...changes,
});

describe('what is kept of a charge', () => {
  test.each([
    ['all of it', charge(), 2000],
    ['what was not refunded', charge({ refundedMinor: 500 }), 1500],
    ['nothing once all is refunded', charge({ refundedMinor: 2000 }), 0],
    ['all of it while a dispute is open', charge({ disputes: [dispute('needs_response')] }), 2000],
    ['all of it once a dispute is won', charge({ disputes: [dispute('won')] }), 2000],
    ['nothing once a dispute is lost', charge({ disputes: [dispute('lost')] }), 0],
    [
      'what neither refund nor lost dispute took',
      charge({ refundedMinor: 500, disputes: [dispute('lost', 700)] }),
      800,
    ],
    ['never less than nothing', charge({ refundedMinor: 1500, disputes: [dispute('lost')] }), 0],
  ])('%s', (_what, read, kept) => {
    expect(keptOf(read)).toBe(kept);
  });
});

test.each([
  [charge(), undefined],
  [charge({ refundedMinor: 1999 }), undefined],
  [charge({ refundedMinor: 2000 }), 'refunded'],
  [charge({ disputes: [dispute('lost')] }), 'lostInDispute'],
])('the way back of all the money: %#', (read, way) => {
  expect(wayBackOf(read)).toBe(way);
});

describe('a payment is in doubt', () => {
  test.each([
    ['not at all if all is well', charge(), []],
    ['while a dispute is open', charge({ disputes: [dispute('under_review')] }), ['disputed']],
    ['while the bank asks', charge({ disputes: [dispute('warning_needs_response')] }), ['disputed']],
    ['no longer once a dispute is won', charge({ disputes: [dispute('won')] }), []],
    ['while a review is open', charge({ review: { reviewId: 'prv_1', open: true, reason: 'rule' } }), ['in_review']],
    ['no longer once it is approved', charge({ review: { reviewId: 'prv_1', open: false, reason: 'approved' } }), []],
    [
      'after a fraud warning',
      charge({ fraudWarnings: [{ warningId: 'issfr_1', fraudType: 'fraudulent_card_application' }] }),
      ['fraud_warning'],
    ],
    ['once a part is refunded', charge({ refundedMinor: 1 }), ['part_refunded']],
    ['no longer once all is gone: that is certain', charge({ refundedMinor: 2000 }), []],
  ])('%s', (_what, read, doubts) => {
    expect(doubtsAbout(read)).toEqual(doubts);
  });
});

describe('the notes on a charge', () => {
  const events = (read: Charge) => notesOn(read).map(({ event }) => event);

  test('say nothing of a charge that nothing happened to, nor of our own refund', () => {
    expect(notesOn(charge())).toEqual([]);
    expect(notesOn(charge({ refunds: [refund(2000, { orderId: 'order-1' })], refundedMinor: 2000 }))).toEqual([]);
  });

  test('tell of a refund that somebody else made, of how much, and of one that failed', () => {
    const [part] = notesOn(charge({ refunds: [refund(500)] }));
    expect(part).toMatchObject({ event: 'payment.refunded', detail: '$5.00 of $20.00 was refunded.', alarm: true });
    expect(events(charge({ refunds: [refund(2000, { orderId: 'order-1', status: 'failed' })] }))).toEqual([
      'refund.failed',
    ]);
  });

  test('tell of a dispute in the order in which it goes, however late it is read', () => {
    expect(events(charge({ disputes: [dispute('needs_response')] }))).toEqual(['payment.disputed']);
    expect(events(charge({ disputes: [dispute('under_review')] }))).toEqual(['payment.disputed', 'dispute.updated']);
    expect(events(charge({ disputes: [dispute('lost')] }))).toEqual(['payment.disputed', 'dispute.closed']);
  });

  test('tell of reviews and fraud warnings', () => {
    const review = { reviewId: 'prv_1', open: false, reason: 'refunded_as_fraud' };
    const fraudWarnings = [{ warningId: 'issfr_1', fraudType: 'made_with_stolen_card' }];
    expect(events(charge({ review, fraudWarnings }))).toEqual([
      'payment.fraud_warning',
      'payment.in_review',
      'payment.reviewed',
    ]);
  });

  test('never take one back: what was said once follows from every later state too', () => {
    const later: Record<string, string[]> = {
      needs_response: ['under_review', 'won', 'lost'],
      under_review: ['won', 'lost'],
    };
    fc.assert(
      fc.property(fc.constantFrom('needs_response', 'under_review'), fc.nat(2), (status, index) => {
        const next = later[status]?.[index % (later[status]?.length ?? 1)] ?? status;
        const before = notesOn(charge({ disputes: [dispute(status)] })).map(({ source }) => source);
        const after = notesOn(charge({ disputes: [dispute(next)] })).map(({ source }) => source);
        expect(after).toEqual(expect.arrayContaining(before.filter((source) => !source.endsWith('under_review'))));
      }),
    );
  });
});

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addBalances,
  addTo,
  type BookedOrder,
  type BookPosition,
  compare,
  type Comparison,
  describeDifference,
  type Difference,
  EMPTY_BALANCE,
  FIRST_POSITION,
  isFinal,
  isLastLook,
  nextPosition,
  sumsOf,
} from './books.ts';
import type { Charge, Dispute, Refund } from './charge.ts';

const ORDER_ID = '68ce52f4cdbf4a483de63446';
const charge = (changes: Partial<Charge> = {}): Charge => ({
  paymentIntentId: 'pi_1',
  orderId: ORDER_ID,
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
const order = (changes: Partial<BookedOrder> = {}): BookedOrder => ({
  orderId: ORDER_ID,
  status: 'FINISHED',
  totalAmountMinor: 2000,
  currency: 'USD',
  paymentIntentId: 'pi_1',
  keptAmountMinor: 2000,
  refundedMinor: 0,
  lostMinor: 0,
  sources: [],
  ...changes,
});
const refund = (changes: Partial<Refund> = {}): Refund => ({
  refundId: 're_1',
  amountMinor: 500,
  status: 'succeeded',
  orderId: null,
  failureReason: null,
  ...changes,
});
const dispute = (status: string, amountMinor = 2000): Dispute => ({
  disputeId: 'du_1',
  status,
  reason: 'fraudulent',
  amountMinor,
});
const differenceIn = (comparison: Comparison): Difference => {
  if (comparison.is !== 'different') throw new Error(`Nothing differs: ${comparison.is}`);
  return comparison.difference;
};

const amount = fc.integer({ min: 0, max: 10_000_000 });
const currency = fc.constantFrom('USD', 'JPY', 'KWD');
/** A charge of any kind, with refunds and a dispute of parts of it, as Stripe allows them together. */
const anyCharge: fc.Arbitrary<Charge> = fc
  .record({
    amountMinor: fc.integer({ min: 1, max: 10_000_000 }),
    part: fc.double({ min: 0, max: 1, noNaN: true }),
    disputed: fc.double({ min: 0, max: 1, noNaN: true }),
    status: fc.option(fc.constantFrom('won', 'lost', 'needs_response', 'warning_closed'), { nil: undefined }),
    currency,
    paymentIntentId: fc.uuid(),
  })
  .map(({ amountMinor, part, disputed, status, ...more }) =>
    charge({
      ...more,
      amountMinor,
      refundedMinor: Math.floor(amountMinor * part),
      disputes: status === undefined ? [] : [dispute(status, Math.ceil(amountMinor * disputed))],
    }),
  );

describe('what became of a charge', () => {
  test('is never apart from what was charged, and nothing of it is less than nothing', () => {
    fc.assert(
      fc.property(anyCharge, (any) => {
        const { chargedMinor, refundedMinor, lostMinor, keptMinor } = sumsOf(any);
        expect(refundedMinor + lostMinor + keptMinor).toBe(chargedMinor);
        expect(Math.min(refundedMinor, lostMinor, keptMinor)).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 10_000 },
    );
  });

  test('a dispute that is lost takes what had not been refunded before', () => {
    expect(sumsOf(charge({ refundedMinor: 500, disputes: [dispute('lost')] }))).toEqual({
      chargedMinor: 2000,
      refundedMinor: 500,
      lostMinor: 1500,
      keptMinor: 0,
    });
  });
});

describe('a charge beside its order', () => {
  test.each<[string, Charge, BookedOrder | undefined, Comparison['is']]>([
    ['a payment that the row knows', charge(), order(), 'booked'],
    ['another sale', charge({ orderId: null }), undefined, 'notOurs'],
    ['a payment of an order that only the row knows', charge({ orderId: null }), order(), 'booked'],
    ['a payment of an order that does not exist', charge(), undefined, 'different'],
    ['the same, given back', charge({ refundedMinor: 2000 }), undefined, 'notOurs'],
    [
      'a payment that the order has not heard of',
      charge(),
      order({ status: 'WAITING_FOR_PAYMENT', paymentIntentId: null, keptAmountMinor: 0 }),
      'different',
    ],
    ['a second payment', charge({ paymentIntentId: 'pi_2' }), order(), 'different'],
    ['a second payment that went back', charge({ paymentIntentId: 'pi_2', refundedMinor: 2000 }), order(), 'returned'],
    [
      'a payment that the order has not heard of, given back since',
      charge({ refundedMinor: 2000 }),
      order({ status: 'WAITING_FOR_PAYMENT', paymentIntentId: null, keptAmountMinor: 0 }),
      'different',
    ],
    [
      'a payment that an order which waits for another one gave back',
      charge({ refundedMinor: 2000 }),
      order({ status: 'WAITING_FOR_PAYMENT', paymentIntentId: null, keptAmountMinor: 0, sources: ['return:pi_1'] }),
      'returned',
    ],
    ['another amount', charge({ amountMinor: 1999 }), order(), 'different'],
    ['another currency', charge({ currency: 'EUR' }), order(), 'different'],
    ['a refund that the row does not know', charge({ refundedMinor: 500 }), order(), 'different'],
    [
      'a refund that it knows',
      charge({ refundedMinor: 500, refunds: [refund()] }),
      order({ refundedMinor: 500, keptAmountMinor: 1500, sources: ['refund:re_1'] }),
      'booked',
    ],
    [
      'a refund that is not told',
      charge({ refundedMinor: 500, refunds: [refund()] }),
      order({ refundedMinor: 500, keptAmountMinor: 1500 }),
      'different',
    ],
    [
      'a refund that is booked as a loss',
      charge({ refundedMinor: 500 }),
      order({ lostMinor: 500, keptAmountMinor: 1500 }),
      'different',
    ],
    ['a dispute that is not told', charge({ disputes: [dispute('needs_response')] }), order(), 'different'],
    [
      'a dispute that is told',
      charge({ disputes: [dispute('needs_response')] }),
      order({ sources: ['dispute:du_1'] }),
      'booked',
    ],
    [
      'a lost dispute',
      charge({ disputes: [dispute('lost')] }),
      order({ keptAmountMinor: 0, lostMinor: 2000, sources: ['dispute:du_1', 'dispute:du_1:closed'] }),
      'booked',
    ],
    [
      'a wrong payment that the order refused',
      charge({ amountMinor: 7, refundedMinor: 7 }),
      order({ status: 'CANCELLED', keptAmountMinor: 0, refundedMinor: 7, sources: ['payment.refused'] }),
      'returned',
    ],
    [
      'a second payment whose refund failed, as the timeline says',
      charge({ paymentIntentId: 'pi_2', refunds: [refund({ orderId: ORDER_ID, status: 'failed' })] }),
      order({ sources: ['refund:re_1:failed'] }),
      'returned',
    ],
    [
      'the same, and nobody was told',
      charge({ paymentIntentId: 'pi_2', refunds: [refund({ orderId: ORDER_ID, status: 'failed' })] }),
      order(),
      'different',
    ],
  ])('%s', (_what, atStripe, here, is) => {
    expect(compare(atStripe, here).is).toBe(is);
  });

  test('a difference of one unit is one, in each of the sums', () => {
    fc.assert(
      fc.property(anyCharge, fc.constantFrom(-1, 1), fc.integer({ min: 0, max: 3 }), (any, by, which) => {
        const { chargedMinor, refundedMinor, lostMinor, keptMinor } = sumsOf(any);
        const { currency: code, paymentIntentId } = any;
        const same = order({
          totalAmountMinor: chargedMinor,
          refundedMinor,
          lostMinor,
          keptAmountMinor: keptMinor,
          currency: code,
          paymentIntentId,
          sources: ['dispute:du_1', 'dispute:du_1:closed'],
        });
        expect(compare(any, same).is).toBe('booked');
        const off = [
          { totalAmountMinor: chargedMinor + by },
          { refundedMinor: refundedMinor + by },
          { keptAmountMinor: keptMinor + by },
          // More than was left to take counts as what was left.
          { lostMinor: lostMinor - 1 },
        ][which];
        expect(compare(any, { ...same, ...off }).is).toBe('different');
      }),
      { numRuns: 2_000 },
    );
  });

  test('says for an operator which payment differs, with both sides', () => {
    const refunded = charge({ refundedMinor: 500, refunds: [refund()] });
    expect(describeDifference(differenceIn(compare(refunded, order())))).toBe(
      `Order ${ORDER_ID} (FINISHED), payment pi_1: at Stripe $20.00 charged, $5.00 refunded, $15.00 kept; here $20.00 charged, $20.00 kept; not on its timeline: $5.00 of $20.00 was refunded.`,
    );
    expect(describeDifference(differenceIn(compare(charge({ currency: 'JPY' }), undefined)))).toBe(
      `Payment pi_1 names order ${ORDER_ID}, which does not exist here: at Stripe ¥2,000 charged, ¥2,000 kept; here nothing`,
    );
    const lost = charge({ disputes: [dispute('lost', 700)] });
    expect(describeDifference(differenceIn(compare(lost, order())))).toContain('$7.00 lost, $13.00 kept');
  });
});

test.each<[Pick<Charge, 'refunds' | 'disputes'>, boolean]>([
  [charge(), true],
  [charge({ refunds: [refund()] }), true],
  [charge({ refunds: [refund(), refund({ status: 'pending' })] }), false],
  [charge({ refunds: [refund({ status: 'requires_action' })] }), false],
  [charge({ refunds: [refund({ status: 'failed' })], disputes: [dispute('won')] }), true],
  [charge({ disputes: [dispute('under_review')] }), false],
  [charge({ disputes: [dispute('warning_needs_response')] }), false],
])('whether nothing more is to be expected: %#', (any, final) => {
  expect(isFinal(any)).toBe(final);
});

describe('the balance', () => {
  const comparison: fc.Arbitrary<Comparison> = fc.oneof(
    fc.constantFrom<Comparison>({ is: 'notOurs' }, { is: 'returned' }),
    anyCharge.map((any): Comparison => ({ is: 'booked', currency: any.currency, sums: sumsOf(any) })),
    fc
      .tuple(anyCharge, amount)
      .map(([any, keptAmountMinor]) =>
        compare(any, order({ keptAmountMinor, paymentIntentId: any.paymentIntentId, currency: any.currency })),
      ),
  );

  test('is the same in whatever pages the charges come', () => {
    fc.assert(
      fc.property(fc.array(fc.array(comparison, { maxLength: 5 }), { maxLength: 5 }), (pages) => {
        const paged = pages.map((page) => page.reduce(addTo, EMPTY_BALANCE)).reduce(addBalances, EMPTY_BALANCE);
        expect(paged).toEqual(pages.flat().toReversed().reduce(addTo, EMPTY_BALANCE));
      }),
    );
  });

  test('has each charge in its own currency, on both sides', () => {
    fc.assert(
      fc.property(fc.array(comparison), (all) => {
        const { lines, charges, notOurs, returned } = all.reduce(addTo, EMPTY_BALANCE);
        const counted = all.flatMap((one) =>
          one.is === 'booked'
            ? [{ currency: one.currency, atStripe: one.sums, here: one.sums }]
            : one.is === 'different'
              ? [one.difference]
              : [],
        );
        expect(charges).toBe(all.length);
        expect(notOurs + returned + counted.length).toBe(all.length);
        for (const key of ['chargedMinor', 'refundedMinor', 'lostMinor', 'keptMinor'] as const) {
          for (const line of lines) {
            const ofCurrency = counted.filter((one) => one.currency === line.currency);
            expect(line.atStripe[key]).toBe(ofCurrency.reduce((sum, { atStripe }) => sum + atStripe[key], 0));
            expect(line.here[key]).toBe(ofCurrency.reduce((sum, { here }) => sum + here[key], 0));
          }
        }
      }),
    );
  });
});

test('a reconciliation goes through all lists and looks again at what differs, some times', () => {
  const visit = (differing: number) => {
    const visited: string[] = [];
    let looks = 0;
    for (let at: BookPosition | undefined = FIRST_POSITION; at !== undefined;) {
      visited.push(`${at.list} ${at.after ?? ''}`.trim());
      if (isLastLook(at)) looks += 1;
      at = nextPosition(at, { after: at.after === null ? 'more' : null, differing });
    }
    return { visited, looks };
  };
  const lists = ['charges', 'refunds', 'disputes', 'unsettled'].flatMap((list) => [list, `${list} more`]);
  expect(visit(0)).toEqual({ visited: lists, looks: 0 });
  const again = ['differing', 'differing more'];
  expect(visit(1)).toEqual({ visited: [...lists, ...again, ...again, ...again, ...again], looks: 2 });
});

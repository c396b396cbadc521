import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';
import { describe, expect, test } from 'vitest';
import type { Refusal } from '../../contracts/messages.ts';
import { describeItems, describePaymentRefusal, describeRefusal, noteHeld, noteRefundDelayed } from './describe.ts';

const PENCIL = { itemId: 'prod_1', name: 'Pencil', quantity: 20, unitAmountMinor: 100, currency: 'USD' };

test('an order is told by its lines and its total', () => {
  const book = { ...PENCIL, itemId: 'prod_2', name: 'Book', quantity: 5, unitAmountMinor: 500 };
  expect(describeItems([PENCIL, book])).toBe('20 × Pencil, 5 × Book; $45.00');
});

test.each<[Refusal, string]>([
  [
    { reason: 'outOfStock', shortages: [{ itemId: 'prod_1', wanted: 5, available: 2 }] },
    'Refused: out of stock: 5 of prod_1 wanted, 2 available.',
  ],
  [{ reason: 'unknownItem', itemIds: ['prod_9', 'prod_8'] }, 'Refused: unknown or not on sale: prod_9, prod_8.'],
  [
    { reason: 'mixedCurrencies', currencies: ['EUR', 'USD'] },
    'Refused: an order has one currency, but its items have EUR and USD.',
  ],
])('a refusal says what was wrong: %j', (refusal, words) => {
  expect(describeRefusal(refusal)).toBe(words);
});

describe('a payment that Stripe does not make', () => {
  const failure = (code: string | undefined) => {
    const cause = ApplicationFailure.nonRetryable('Stripe said no', 'StripeRefused', code);
    return new ActivityFailure('failed', 'createCheckoutSession', '1', 'NON_RETRYABLE_FAILURE', 'payment', cause);
  };

  test.each([
    ['amount_too_small', 'the total is below the minimum that can be paid'],
    ['amount_too_large', 'the total is above the maximum that can be paid'],
    ['parameter_invalid', 'the shop has been told'],
    [undefined, 'the shop has been told'],
  ])('for %s is told to the customer in words of their own', (code, words) => {
    expect(describePaymentRefusal(failure(code))).toBe(words);
  });
});

test('a shipment that is held has an entry for each set of doubts, and an alarm', () => {
  expect(noteHeld(['disputed', 'in_review'])).toEqual({
    source: 'fulfillment.held:disputed+in_review',
    event: 'fulfillment.held',
    detail: 'The shipment waits: the payment is disputed at the bank, and the payment is in review at Stripe.',
    alarm: true,
  });
});

test('a refund that Stripe does not take has one entry for each payment', () => {
  expect(noteRefundDelayed('pi_1', 'refused').source).toBe('refund.delayed:pi_1');
  expect(noteRefundDelayed('pi_1', 'disputed').detail).toContain('until the bank has decided');
});

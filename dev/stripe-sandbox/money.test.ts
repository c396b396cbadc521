import { expect, test } from 'vitest';
import { formatAmount, isCurrency, minimumAmount, whyNotChargeable } from './money.ts';

test.each([
  [4500, 'usd', '$45.00'],
  [4500, 'jpy', '¥4,500'],
  [4500, 'kwd', 'KWD 4.500'],
  [99_999_999, 'eur', '€999,999.99'],
  [7, 'gbp', '£0.07'],
  // These have no fractions any more, but Stripe still counts them in hundredths.
  [500, 'ugx', 'UGX 5.00'],
  [500, 'isk', 'ISK 5.00'],
])('%d %s is %s', (amount, currency, text) => {
  expect(formatAmount(amount, currency).replace('\u00A0', ' ')).toBe(text);
});

test('what is a currency, and what is charged at least', () => {
  expect(['usd', 'jpy', 'xyz', ''].map(isCurrency)).toEqual([true, true, false, false]);
  expect(['usd', 'gbp', 'jpy', 'isk'].map(minimumAmount)).toEqual([50, 30, 50, 1]);
});

test.each([
  ['ugx', 500, 550],
  ['isk', 500, 501],
  ['kwd', 5120, 5124],
])('%s is charged in steps', (currency, right, wrong) => {
  expect(whyNotChargeable(right, currency)).toBeUndefined();
  expect(whyNotChargeable(wrong, currency)).toContain("can't be charged");
});

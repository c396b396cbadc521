import { expect, test } from 'vitest';
import { formatAmount, isCurrency, minimumAmount } from './money.ts';

test.each([
  [4500, 'usd', '$45.00'],
  [4500, 'jpy', '¥4,500'],
  [4500, 'kwd', 'KWD 4.500'],
  [99_999_999, 'eur', '€999,999.99'],
  [7, 'gbp', '£0.07'],
])('%d %s is %s', (amount, currency, text) => {
  expect(formatAmount(amount, currency).replace('\u00A0', ' ')).toBe(text);
});

test('what is a currency, and what is charged at least', () => {
  expect(['usd', 'jpy', 'xyz', ''].map(isCurrency)).toEqual([true, true, false, false]);
  expect(['usd', 'gbp', 'jpy', 'isk'].map(minimumAmount)).toEqual([50, 30, 50, 1]);
});

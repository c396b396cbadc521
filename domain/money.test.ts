import { describe, expect, test } from 'vitest';
import { formatMoney, MoneyError, totalOf } from './money.ts';

const line = (quantity: number, unitAmountMinor: number, currency = 'USD') => ({ quantity, unitAmountMinor, currency });

describe('a total', () => {
  test('is exact, in minor units', () => {
    expect(totalOf([line(20, 100), line(5, 500)])).toEqual({ amountMinor: 4500, currency: 'USD' });
    expect(totalOf([line(3, 33)])).toEqual({ amountMinor: 99, currency: 'USD' });
  });

  test('of the largest order that can be made is exact', () => {
    const lines = Array.from({ length: 50 }, () => line(10_000, 99_999_999));
    expect(totalOf(lines).amountMinor).toBe(49_999_999_500_000);
  });

  test.each([
    ['no lines', []],
    ['two currencies', [line(1, 100), line(1, 100, 'EUR')]],
    ['more than a double holds', [line(10_000, Number.MAX_SAFE_INTEGER)]],
    ['a negative price', [line(1, -1)]],
    ['no quantity', [line(0, 100)]],
    ['a part of a cent', [line(1, 0.5)]],
  ])('is refused for %s', (_what, lines) => {
    expect(() => totalOf(lines)).toThrow(MoneyError);
  });
});

test.each([
  [4500, 'USD', '$45.00'],
  [5, 'EUR', '€0.05'],
  [500, 'JPY', '¥500'],
  [1234, 'BHD', 'BHD 1.234'],
  // As Stripe charges them, which is not as Intl counts them.
  [12_300, 'ISK', 'ISK 123.00'],
  [700, 'MGA', 'MGA 700'],
])('%i minor units of %s are written %s', (amountMinor, currency, text) => {
  expect(formatMoney({ amountMinor, currency }).replace('\u00a0', ' ')).toBe(text);
});

import { describe, expect, test } from 'vitest';
import { formatMoney, MoneyError, totalOf, whyAmountIsNotChargeable, whyStripeRefusesPrice } from './money.ts';

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
  [500, 'UGX', 'UGX 5.00'],
  [17_550, 'HUF', 'HUF 175.50'],
  [700, 'MGA', 'MGA 700'],
])('%i minor units of %s are written %s', (amountMinor, currency, text) => {
  expect(formatMoney({ amountMinor, currency }).replace('\u00a0', ' ')).toBe(text);
});

describe('a unit price', () => {
  test.each([
    [100, 'USD'],
    [101, 'USD'],
    [1, 'JPY'],
    [501, 'JPY'],
    [5120, 'KWD'],
    [500, 'UGX'],
    [100, 'ISK'],
    // Whole in payouts only.
    [1045, 'HUF'],
    [80_045, 'TWD'],
    [99_999_999, 'EUR'],
  ])('of %i minor units of %s is accepted', (amountMinor, currency) => {
    expect(whyStripeRefusesPrice({ amountMinor, currency })).toBeUndefined();
  });

  test.each([
    [550, 'UGX', "UGX 5.50 can't be charged: UGX has no fractions, so 550 must be a multiple of 100"],
    [99, 'ISK', "ISK 0.99 can't be charged: ISK has no fractions, so 99 must be a multiple of 100"],
    [5124, 'KWD', "KWD 5.124 can't be charged: the third decimal of KWD must be 0, so 5124 must be a multiple of 10"],
    [0, 'USD', 'a price is a whole number from 1 to 99999999 minor units, not 0'],
    [100_000_000, 'USD', 'a price is a whole number from 1 to 99999999 minor units, not 100000000'],
    [1.5, 'USD', 'a price is a whole number from 1 to 99999999 minor units, not 1.5'],
    [Number.NaN, 'USD', 'a price is a whole number from 1 to 99999999 minor units, not NaN'],
    [100, 'usd', '"usd" is not the code of a currency: three capital letters'],
    [100, 'USDX', '"USDX" is not the code of a currency: three capital letters'],
  ])('of %d minor units of %s is refused, and says why', (amountMinor, currency, reason) => {
    expect(whyStripeRefusesPrice({ amountMinor, currency })?.replace('\u00a0', ' ')).toBe(reason);
  });

  test.each(['BHD', 'JOD', 'KWD', 'OMR', 'TND'])('of %s must end in 0', (currency) => {
    expect([1000, 1001, 1009, 1010].map((amountMinor) => whyAmountIsNotChargeable({ amountMinor, currency }))).toEqual([
      undefined,
      expect.stringContaining(currency),
      expect.stringContaining(currency),
      undefined,
    ]);
  });
});

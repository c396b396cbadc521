/**
 * Money is integer minor units (cents, for USD) with its ISO 4217 currency in upper case. Stripe writes currencies in
 * lower case; its adapter converts at the edge.
 */
export type Money = { readonly amountMinor: number; readonly currency: string };

export type PricedLine = { readonly quantity: number; readonly unitAmountMinor: number; readonly currency: string };

/** A total that is not exact, not of one currency, or of nothing at all. */
export class MoneyError extends Error {
  override readonly name = 'MoneyError';
}

/**
 * Adds up an order's lines.
 *
 * @throws MoneyError where there are no lines, currencies differ, or the sum is no longer exact in a double
 */
export function totalOf(lines: readonly PricedLine[]): Money {
  const currency = lines[0]?.currency;
  if (currency === undefined) throw new MoneyError('An order has at least one line');
  let amountMinor = 0;
  for (const line of lines) {
    if (line.currency !== currency) {
      throw new MoneyError(`An order has one currency, but its lines have ${currency} and ${line.currency}`);
    }
    amountMinor += line.quantity * line.unitAmountMinor;
    if (!Number.isSafeInteger(amountMinor) || line.unitAmountMinor < 0 || line.quantity < 1) {
      throw new MoneyError(`The total of ${line.quantity} × ${line.unitAmountMinor} ${currency} is out of range`);
    }
  }
  return { amountMinor, currency };
}

/**
 * The currencies whose smallest unit at Stripe is not a hundredth (https://docs.stripe.com/currencies#minor-units).
 * Intl is not asked for it: it counts ISK, UGX and MGA differently than Stripe charges them.
 */
const MINOR_UNIT_DIGITS: ReadonlyMap<string, number> = new Map([
  ...'BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF'.split(' ').map((code) => [code, 0] as const),
  ...'BHD JOD KWD OMR TND'.split(' ').map((code) => [code, 3] as const),
]);

/**
 * Writes an amount for people, with the digits that its currency has at Stripe: `$45.00`, `¥500`, `BHD 1.234`.
 *
 * @param money minor units of an ISO 4217 currency
 */
export function formatMoney({ amountMinor, currency }: Money): string {
  const digits = MINOR_UNIT_DIGITS.get(currency) ?? 2;
  return new Intl.NumberFormat('en-US', {
    style: 'currency',
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(amountMinor / 10 ** digits);
}

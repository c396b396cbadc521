/**
 * Money is integer minor units (cents, for USD) with its ISO 4217 currency in upper case. Stripe writes currencies in
 * lower case; its adapter converts at the edge.
 */
export type Money = { readonly amountMinor: number; readonly currency: string };

export type PricedLine = { readonly quantity: number; readonly unitAmountMinor: number; readonly currency: string };

/** A total can't be computed: there are no lines, currencies differ, or the sum is not exact. */
export class MoneyError extends Error {
  override readonly name = 'MoneyError';
}

/**
 * Adds up an order's lines.
 *
 * @throws MoneyError if there are no lines, currencies differ, or the sum is no longer exact in a double
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
 * Intl is not used: it has other minor units than Stripe for ISK, UGX and MGA.
 */
const MINOR_UNIT_DIGITS: ReadonlyMap<string, number> = new Map([
  ...'BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF'.split(' ').map((code) => [code, 0] as const),
  ...'BHD JOD KWD OMR TND'.split(' ').map((code) => [code, 3] as const),
]);

/** How many decimal places of a currency its smallest unit at Stripe stands for. */
export function minorUnitDigits(currency: string): number {
  return MINOR_UNIT_DIGITS.get(currency) ?? 2;
}

/**
 * The currencies that Stripe charges only in steps of more than one minor unit. ISK and UGX no longer have fractions,
 * but Stripe still counts them in hundredths, which must be 00; the third decimal of a three-decimal currency must be 0
 * (https://docs.stripe.com/currencies#special-cases). HUF and TWD are whole only in payouts.
 */
const CHARGED_IN_STEPS_OF: ReadonlyMap<string, number> = new Map([
  ...'ISK UGX'.split(' ').map((code) => [code, 100] as const),
  ...'BHD JOD KWD OMR TND'.split(' ').map((code) => [code, 10] as const),
]);

/** Stripe's largest amount has eight digits. */
const MAX_AMOUNT_MINOR = 99_999_999;

/**
 * Returns why Stripe refuses an amount for its currency, whether it is a price, a total or a refund.
 *
 * @param money minor units of an ISO 4217 currency
 * @returns undefined if the currency allows the amount
 */
export function whyAmountIsNotChargeable({ amountMinor, currency }: Money): string | undefined {
  const step = CHARGED_IN_STEPS_OF.get(currency) ?? 1;
  if (amountMinor % step === 0) return undefined;
  const rule = step === 100 ? `${currency} has no fractions` : `the third decimal of ${currency} must be 0`;
  return `${formatMoney({ amountMinor, currency })} can't be charged: ${rule}, so ${amountMinor} must be a multiple of ${step}`;
}

/**
 * Returns why Stripe refuses a unit price. Only the price is checked: a total can still be too small or too large.
 *
 * @param price minor units of an ISO 4217 currency, in upper case
 * @returns undefined if Stripe accepts the price
 */
export function whyStripeRefusesPrice(price: Money): string | undefined {
  const { amountMinor, currency } = price;
  if (!/^[A-Z]{3}$/.test(currency)) return `"${currency}" is not the code of a currency: three capital letters`;
  if (!Number.isInteger(amountMinor) || amountMinor < 1 || amountMinor > MAX_AMOUNT_MINOR) {
    return `a price is a whole number from 1 to ${MAX_AMOUNT_MINOR} minor units, not ${amountMinor}`;
  }
  return whyAmountIsNotChargeable(price);
}

/**
 * Formats an amount for people, with the number of decimals that its currency has at Stripe: `$45.00`, `¥500`,
 * `BHD 1.234`.
 *
 * @param money minor units of an ISO 4217 currency
 * @param locale whose way of writing amounts it is, as BCP 47
 */
export function formatMoney({ amountMinor, currency }: Money, locale = 'en-US'): string {
  return moneyFormat(currency, locale).format(amountMinor / 10 ** minorUnitDigits(currency));
}

/** How amounts of a currency are written, for who writes many. */
export function moneyFormat(currency: string, locale = 'en-US'): Intl.NumberFormat {
  const digits = minorUnitDigits(currency);
  return new Intl.NumberFormat(locale, {
    style: 'currency',
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/**
 * Reads an amount as a person writes it: `12.50`, `500`.
 *
 * @returns minor units; undefined if it is no amount, or has more digits than the currency
 */
export function parseAmount(text: string, currency: string): number | undefined {
  const digits = minorUnitDigits(currency);
  const [, whole, fraction = ''] = /^(\d{1,9})(?:\.(\d+))?$/.exec(text.trim()) ?? [];
  if (whole === undefined || fraction.length > digits) return undefined;
  return Number(whole + fraction.padEnd(digits, '0'));
}

/** Writes an amount as a person enters it: `12.50`, `500`. */
export function amountToEnter({ amountMinor, currency }: Money): string {
  const digits = minorUnitDigits(currency);
  return (amountMinor / 10 ** digits).toFixed(digits);
}

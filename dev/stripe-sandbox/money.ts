import { formatMoney, whyAmountIsNotChargeable } from '../../domain/money.ts';

const CURRENCIES = new Set(Intl.supportedValuesOf('currency').map((code) => code.toLowerCase()));

/**
 * What Stripe charges at least, in minor units, if the account settles in the same currency (docs.stripe.com/currencies,
 * "Minimum and maximum charge amounts"). Other currencies have the settlement currency's minimum, converted.
 */
const MINIMUM: Readonly<Record<string, number>> = {
  aed: 200,
  aud: 50,
  bgn: 100,
  brl: 50,
  cad: 50,
  chf: 50,
  czk: 1500,
  dkk: 250,
  eur: 50,
  gbp: 30,
  hkd: 400,
  huf: 17_500,
  inr: 50,
  jpy: 50,
  mxn: 1000,
  myr: 200,
  nok: 300,
  nzd: 50,
  pln: 200,
  ron: 200,
  sek: 300,
  sgd: 50,
  thb: 1000,
  usd: 50,
};

/** Eight digits, whatever the currency. */
export const MAXIMUM_AMOUNT = 99_999_999;

/** Whether a lower-case code names a currency. */
export function isCurrency(code: string): boolean {
  return CURRENCIES.has(code);
}

/** The least amount that can be charged, in minor units; 1 if Stripe has no rule of its own. */
export function minimumAmount(currency: string): number {
  return MINIMUM[currency] ?? 1;
}

/** Why an amount can't be charged or refunded in its (lower-case) currency, whatever its size; undefined if it can. */
export function whyNotChargeable(amountMinor: number, currency: string): string | undefined {
  return whyAmountIsNotChargeable({ amountMinor, currency: currency.toUpperCase() });
}

/** An amount in minor units as customers read it: 4500 usd is `$45.00`, 4500 jpy is `¥4,500`. */
export function formatAmount(amountMinor: number, currency: string): string {
  return formatMoney({ amountMinor, currency: currency.toUpperCase() });
}

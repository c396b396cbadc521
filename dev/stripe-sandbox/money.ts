/** Currencies whose amounts have no minor unit at Stripe: 500 JPY is sent as 500. */
const ZERO_DECIMAL = new Set('bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf'.split(' '));
/** Currencies with three decimals; Stripe wants their last digit to be 0. */
const THREE_DECIMAL = new Set(['bhd', 'jod', 'kwd', 'omr', 'tnd']);

const CURRENCIES = new Set(Intl.supportedValuesOf('currency').map((code) => code.toLowerCase()));

/** What Stripe charges at least, in minor units (docs.stripe.com/currencies, "Minimum and maximum charge amounts"). */
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

/** The least amount that can be charged, in minor units; 1 where Stripe has no rule of its own. */
export function minimumAmount(currency: string): number {
  return MINIMUM[currency] ?? 1;
}

function decimals(currency: string): number {
  if (ZERO_DECIMAL.has(currency)) return 0;
  return THREE_DECIMAL.has(currency) ? 3 : 2;
}

/** An amount in minor units as customers read it: 4500 usd is `$45.00`, 4500 jpy is `¥4,500`. */
export function formatAmount(amountMinor: number, currency: string): string {
  const digits = decimals(currency);
  return new Intl.NumberFormat('en-US', {
    style: 'currency',
    currency: currency.toUpperCase(),
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(amountMinor / 10 ** digits);
}

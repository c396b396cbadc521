import type { StripeErrorDetails } from './errors.ts';

export type Decline = Pick<StripeErrorDetails, 'code' | 'decline_code' | 'message'>;

/** What the sandbox remembers of a card: never its number, never its CVC. */
export type CardOnFile = {
  brand: string;
  last4: string;
  expMonth: number;
  expYear: number;
  nameOnCard: string | null;
  effect: CardEffect;
};

type CardEffect =
  | { kind: 'pays' }
  | { kind: 'pays_and_is_disputed'; reason?: string; inquiry?: boolean }
  | { kind: 'pays_and_is_reviewed' | 'pays_and_is_reported_as_fraud' | 'pays_and_refunds_are_pending' }
  | { kind: 'asks_for_authentication' }
  | { kind: 'declines'; decline: Decline };

const declines = (code: string, declineCode: string, message: string): CardEffect => ({
  kind: 'declines',
  decline: { code, decline_code: declineCode, message },
});
const pays: CardEffect = { kind: 'pays' };

export type TestCard = { number: string; method: string; says: string; effect: CardEffect };

/** Stripe's own test cards (docs.stripe.com/testing), with the payment method ids that stand for them in API calls. */
export const TEST_CARDS: readonly TestCard[] = [
  { number: '4242424242424242', method: 'pm_card_visa', says: 'Pays', effect: pays },
  {
    number: '4000002500003155',
    method: 'pm_card_authenticationRequired',
    says: 'Asks for 3-D Secure',
    effect: { kind: 'asks_for_authentication' },
  },
  {
    number: '4000000000000002',
    method: 'pm_card_visa_chargeDeclined',
    says: 'Declined',
    effect: declines('card_declined', 'generic_decline', 'Your card was declined.'),
  },
  {
    number: '4000000000009995',
    method: 'pm_card_visa_chargeDeclinedInsufficientFunds',
    says: 'Insufficient funds',
    effect: declines('card_declined', 'insufficient_funds', 'Your card has insufficient funds.'),
  },
  {
    number: '4000000000009987',
    method: 'pm_card_visa_chargeDeclinedLostCard',
    says: 'Lost card',
    effect: declines('card_declined', 'lost_card', 'Your card was declined.'),
  },
  {
    number: '4000000000009979',
    method: 'pm_card_visa_chargeDeclinedStolenCard',
    says: 'Stolen card',
    effect: declines('card_declined', 'stolen_card', 'Your card was declined.'),
  },
  {
    number: '4000000000000069',
    method: 'pm_card_chargeDeclinedExpiredCard',
    says: 'Expired card',
    effect: declines('expired_card', 'expired_card', 'Your card has expired.'),
  },
  {
    number: '4000000000000127',
    method: 'pm_card_chargeDeclinedIncorrectCvc',
    says: 'Wrong CVC',
    effect: declines('incorrect_cvc', 'incorrect_cvc', "Your card's security code is incorrect."),
  },
  {
    number: '4000000000000119',
    method: 'pm_card_chargeDeclinedProcessingError',
    says: 'Processing error',
    effect: declines(
      'processing_error',
      'processing_error',
      'An error occurred while processing your card. Try again in a little bit.',
    ),
  },
  {
    number: '4000000000000259',
    method: 'pm_card_createDispute',
    says: 'Pays, then is disputed',
    effect: { kind: 'pays_and_is_disputed' },
  },
  {
    number: '4000000000002685',
    method: 'pm_card_createDisputeProductNotReceived',
    says: 'Pays, then is disputed: not received',
    effect: { kind: 'pays_and_is_disputed', reason: 'product_not_received' },
  },
  {
    number: '4000000000001976',
    method: 'pm_card_createDisputeInquiry',
    says: 'Pays, then the bank inquires',
    effect: { kind: 'pays_and_is_disputed', inquiry: true },
  },
  {
    number: '4000000000009235',
    method: 'pm_card_riskLevelElevated',
    says: 'Pays, and is put in review',
    effect: { kind: 'pays_and_is_reviewed' },
  },
  {
    number: '4000000000005423',
    method: 'pm_card_createIssuerFraudRecord',
    says: 'Pays, then the bank warns of fraud',
    effect: { kind: 'pays_and_is_reported_as_fraud' },
  },
  {
    number: '4000000000007726',
    method: 'pm_card_pendingRefund',
    says: 'Pays; refunds are pending',
    effect: { kind: 'pays_and_refunds_are_pending' },
  },
  { number: '5555555555554444', method: 'pm_card_mastercard', says: 'Pays', effect: pays },
  { number: '378282246310005', method: 'pm_card_amex', says: 'Pays', effect: pays },
];

/** A number that is no test card could be somebody's: Stripe's test mode declines it, and so does the sandbox. */
const NOT_A_TEST_CARD = declines(
  'card_declined',
  'test_mode_live_card',
  'Your card was declined. This is a test page and takes test cards only.',
);

export type CardForm = { number: string; expiry: string; cvc: string; name: string };
export type CardFormErrors = Partial<Record<keyof CardForm, string>>;

/**
 * Reads what a customer typed into the card form.
 *
 * @param today the day that decides whether the card has expired
 * @returns the card, or for each wrong field a sentence for the customer
 */
export function readCardForm(form: CardForm, today: Date): { card: CardOnFile } | { errors: CardFormErrors } {
  const errors: CardFormErrors = {};
  const number = form.number.replace(/[\s-]/g, '');
  if (number === '') errors.number = 'Enter the card number.';
  else if (!/^\d{13,19}$/.test(number)) errors.number = 'The card number is incomplete.';
  else if (!passesLuhn(number)) errors.number = 'The card number is wrong. Check it and try again.';

  const expiry = readExpiry(form.expiry);
  if (expiry === undefined) errors.expiry = 'Enter the expiry as MM / YY.';
  // A card is good until the end of its month; month numbers of Date begin at 0, so this is the month after it.
  else if (new Date(expiry.year, expiry.month) <= today) errors.expiry = 'The card has expired.';

  const brand = brandOf(number);
  const cvcLength = brand === 'amex' ? 4 : 3;
  if (!/^\d+$/.test(form.cvc) || form.cvc.length !== cvcLength) {
    errors.cvc = `Enter the ${cvcLength} digits of the security code.`;
  }
  if (form.name.length > 100) errors.name = 'The name is too long.';
  if (expiry === undefined || Object.keys(errors).length > 0) return { errors };
  return { card: cardOnFile(number, expiry, form.name.trim() === '' ? null : form.name.trim()) };
}

function cardOnFile(number: string, expiry: { month: number; year: number }, nameOnCard: string | null): CardOnFile {
  return {
    brand: brandOf(number),
    last4: number.slice(-4),
    expMonth: expiry.month,
    expYear: expiry.year,
    nameOnCard,
    effect: TEST_CARDS.find((card) => card.number === number)?.effect ?? NOT_A_TEST_CARD,
  };
}

/** The card that a test payment method id of Stripe's stands for, or undefined. */
export function cardOfTestMethod(method: string, today: Date): CardOnFile | undefined {
  const card = TEST_CARDS.find((card) => card.method === method);
  if (card === undefined) return undefined;
  return cardOnFile(card.number, { month: 12, year: today.getFullYear() + 3 }, null);
}

function readExpiry(text: string): { month: number; year: number } | undefined {
  const match = /^\s*(0?[1-9]|1[0-2])\s*[/-]?\s*(?:20)?(\d\d)\s*$/.exec(text);
  if (match === null) return undefined;
  return { month: Number(match[1]), year: 2000 + Number(match[2]) };
}

function brandOf(number: string): string {
  if (number.startsWith('4')) return 'visa';
  if (/^(5[1-5]|2[2-7])/.test(number)) return 'mastercard';
  return /^3[47]/.test(number) ? 'amex' : 'unknown';
}

function passesLuhn(number: string): boolean {
  let sum = 0;
  for (let index = 0; index < number.length; index += 1) {
    const digit = Number(number.charAt(number.length - 1 - index));
    const doubled = digit * 2;
    if (index % 2 === 0) sum += digit;
    else sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

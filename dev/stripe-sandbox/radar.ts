import type { Stripe } from 'stripe';
import { refused, resourceMissing } from './errors.ts';
import { emit, NO_REQUEST, seconds, type Account, type Cause } from './events.ts';
import { newId } from './ids.ts';

export type ClosedReason = 'approved' | 'refunded' | 'refunded_as_fraud' | 'disputed';

/** What Stripe writes on a charge that its default rule puts in review. */
export const REVIEWED_OUTCOME: Stripe.Charge.Outcome = {
  advice_code: null,
  network_advice_code: null,
  network_decline_code: null,
  network_status: 'approved_by_network',
  reason: 'elevated_risk_level',
  risk_level: 'elevated',
  rule: 'manual_review_if_elevated_risk',
  seller_message: 'Stripe evaluated this payment as having elevated risk, and placed it in your manual review queue.',
  type: 'manual_review',
};

/** @throws StripeApiError 404 */
export function findReview(account: Account, id: string): Stripe.Review {
  const review = account.store.get('reviews', id);
  if (review === undefined) throw resourceMissing('review', id, 'review');
  return review;
}

/** @throws StripeApiError 404 */
export function findFraudWarning(account: Account, id: string): Stripe.Radar.EarlyFraudWarning {
  const warning = account.store.get('fraudWarnings', id);
  if (warning === undefined) throw resourceMissing('early_fraud_warning', id, 'early_fraud_warning');
  return warning;
}

export function buildReview(
  account: Account,
  charge: Pick<Stripe.Charge, 'id' | 'payment_intent'>,
  openedReason: 'manual' | 'rule',
): Stripe.Review {
  return {
    id: newId('prv'),
    object: 'review',
    billing_zip: null,
    charge: charge.id,
    closed_reason: null,
    created: seconds(account),
    ip_address: null,
    ip_address_location: null,
    livemode: false,
    open: true,
    opened_reason: openedReason,
    ...(charge.payment_intent === null ? {} : { payment_intent: charge.payment_intent }),
    reason: openedReason,
    session: null,
  } satisfies Stripe.Review;
}

/**
 * A payment is put in review after it succeeded.
 *
 * @throws StripeApiError if it took no money, has been refunded, or is in review already
 */
export function openReview(account: Account, chargeId: string, reason: 'manual' | 'rule'): Stripe.Review {
  const charge = chargeThatSucceeded(account, chargeId, 'reviewed');
  if (charge.refunded) throw refused(`Charge ${chargeId} has been refunded; there is nothing to review.`);
  if (openReviewsOf(account, chargeId).length > 0) throw refused(`Charge ${chargeId} is in review already.`);
  const review = buildReview(account, charge, reason);
  account.store.put('reviews', review.id, review);
  account.store.put('charges', charge.id, { ...charge, review: review.id });
  const record =
    typeof charge.payment_intent === 'string' ? account.store.get('paymentIntents', charge.payment_intent) : undefined;
  if (record !== undefined) {
    const paymentIntent: Stripe.PaymentIntent = { ...record.paymentIntent, review: review.id };
    account.store.put('paymentIntents', paymentIntent.id, { ...record, paymentIntent });
  }
  emit(account, 'review.opened', review, NO_REQUEST);
  return review;
}

/** @throws StripeApiError if the review is closed */
export function closeReview(account: Account, id: string, reason: ClosedReason, cause: Cause): Stripe.Review {
  const before = findReview(account, id);
  if (!before.open) throw refused(`Review ${id} is closed: ${before.closed_reason}.`);
  const review: Stripe.Review = { ...before, open: false, closed_reason: reason, reason };
  account.store.put('reviews', id, review);
  emit(account, 'review.closed', review, cause);
  return review;
}

/**
 * The card's issuer suspects fraud.
 *
 * @throws StripeApiError if the charge took no money
 */
export function openFraudWarning(
  account: Account,
  chargeId: string,
  fraudType: string,
): Stripe.Radar.EarlyFraudWarning {
  const charge = chargeThatSucceeded(account, chargeId, 'reported as fraud');
  const warning = {
    id: newId('issfr'),
    object: 'radar.early_fraud_warning',
    actionable: !charge.refunded && !charge.disputed,
    charge: charge.id,
    created: seconds(account),
    fraud_type: fraudType,
    livemode: false,
    ...(charge.payment_intent === null ? {} : { payment_intent: charge.payment_intent }),
  } satisfies Stripe.Radar.EarlyFraudWarning;
  account.store.put('fraudWarnings', warning.id, warning);
  emit(account, 'radar.early_fraud_warning.created', warning, NO_REQUEST);
  return warning;
}

/** Once a charge is disputed or fully refunded, there is nothing left to review or to act on. */
export function endReviewAndWarnings(
  account: Account,
  chargeId: string,
  reason: Exclude<ClosedReason, 'approved'>,
  cause: Cause,
): void {
  for (const review of openReviewsOf(account, chargeId)) closeReview(account, review.id, reason, cause);
  for (const before of account.store.all('fraudWarnings')) {
    if (before.charge !== chargeId || !before.actionable) continue;
    const warning: Stripe.Radar.EarlyFraudWarning = { ...before, actionable: false };
    account.store.put('fraudWarnings', warning.id, warning);
    emit(account, 'radar.early_fraud_warning.updated', warning, cause, { actionable: true });
  }
}

function openReviewsOf(account: Account, chargeId: string): Stripe.Review[] {
  return account.store.all('reviews').filter((review) => review.charge === chargeId && review.open);
}

function chargeThatSucceeded(account: Account, chargeId: string, verb: string): Stripe.Charge {
  const charge = account.store.get('charges', chargeId);
  if (charge === undefined) throw resourceMissing('charge', chargeId, 'charge');
  if (charge.status !== 'succeeded') throw refused(`Charge ${chargeId} took no money; it cannot be ${verb}.`);
  return charge;
}

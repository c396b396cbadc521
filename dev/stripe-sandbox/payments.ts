import type { Stripe } from 'stripe';
import type { CardOnFile, Decline } from './cards.ts';
import { openDispute } from './disputes.ts';
import { refused, resourceMissing } from './errors.ts';
import { emit, seconds, type Account, type Cause } from './events.ts';
import { newId } from './ids.ts';
import { buildBankPaymentMethod, buildCharge, type Method } from './payment-objects.ts';
import { buildReview, openFraudWarning, REVIEWED_OUTCOME } from './radar.ts';
import type { PaymentIntentRecord } from './store.ts';

export type Attempt =
  | { outcome: 'succeeded' | 'processing' | 'requires_action' }
  | { outcome: 'declined'; decline: Decline; chargeId?: string };

const AUTHENTICATION_FAILED: Decline = {
  code: 'payment_intent_authentication_failure',
  message: 'We are unable to authenticate your payment method. Please choose a different payment method and try again.',
};
const BANK_DEBIT_FAILED: Decline = {
  code: 'payment_method_provider_decline',
  message: 'The bank did not pay the debit: the account is closed.',
};

/** @throws StripeApiError 404 */
export function paymentIntentRecord(account: Account, id: string): PaymentIntentRecord {
  const record = account.store.get('paymentIntents', id);
  if (record === undefined) throw resourceMissing('payment_intent', id, 'intent');
  return record;
}

/** Stores a payment intent with its changes, and returns the new one. */
export function changePaymentIntent(
  account: Account,
  id: string,
  changes: Partial<Stripe.PaymentIntent>,
  record: Partial<PaymentIntentRecord> = {},
): Stripe.PaymentIntent {
  const before = paymentIntentRecord(account, id);
  const paymentIntent: Stripe.PaymentIntent = { ...before.paymentIntent, ...changes };
  account.store.put('paymentIntents', id, { ...before, ...record, paymentIntent });
  return paymentIntent;
}

/** What some test cards bring after they paid; called when all that belongs to the payment has happened. */
export function afterPayment(account: Account, id: string, method: Method): void {
  const { latest_charge: chargeId } = paymentIntentRecord(account, id).paymentIntent;
  if (method.type !== 'card' || typeof chargeId !== 'string') return;
  const { effect } = method.card;
  if (effect.kind === 'pays_and_is_disputed') {
    const { reason = 'fraudulent', inquiry = false } = effect;
    openDispute(account, chargeId, { reason, inquiry });
  }
  if (effect.kind === 'pays_and_is_reported_as_fraud') openFraudWarning(account, chargeId, 'misc');
}

/** A customer confirms a payment intent with a card or a bank debit. */
export function attemptPayment(account: Account, id: string, method: Method, cause: Cause): Attempt {
  const { paymentIntent } = paymentIntentRecord(account, id);
  if (!['requires_payment_method', 'requires_confirmation', 'requires_action'].includes(paymentIntent.status)) {
    throw refused(
      `This PaymentIntent's status is ${paymentIntent.status}; it cannot be confirmed.`,
      'payment_intent_unexpected_state',
      { payment_intent: paymentIntent },
    );
  }
  const paymentMethodId = newId('pm');
  if (method.type === 'us_bank_account') return beginBankDebit(account, id, paymentMethodId, method, cause);
  const { effect } = method.card;
  if (effect.kind === 'asks_for_authentication') {
    return askForAuthentication(account, id, paymentMethodId, method.card, cause);
  }
  if (effect.kind === 'declines') return decline(account, id, paymentMethodId, method, effect.decline, cause);
  return succeed(account, id, paymentMethodId, method, cause);
}

function askForAuthentication(
  account: Account,
  id: string,
  paymentMethodId: string,
  card: CardOnFile,
  cause: Cause,
): Attempt {
  const { returnUrl } = paymentIntentRecord(account, id);
  const changed = changePaymentIntent(
    account,
    id,
    {
      status: 'requires_action',
      payment_method: paymentMethodId,
      last_payment_error: null,
      next_action: {
        type: 'redirect_to_url',
        redirect_to_url: { return_url: returnUrl, url: `${account.publicUrl()}/c/3ds/${id}` },
      },
    },
    { card },
  );
  emit(account, 'payment_intent.requires_action', changed, cause);
  return { outcome: 'requires_action' };
}

/**
 * The customer passed 3-D Secure or failed it.
 *
 * @throws StripeApiError 400 when the payment intent waits for no authentication
 */
export function endAuthentication(account: Account, id: string, passed: boolean, cause: Cause): Attempt {
  const { paymentIntent, card } = paymentIntentRecord(account, id);
  if (paymentIntent.status !== 'requires_action' || card === undefined) {
    throw refused(`PaymentIntent ${id} waits for no authentication; its status is ${paymentIntent.status}.`);
  }
  const paymentMethodId = typeof paymentIntent.payment_method === 'string' ? paymentIntent.payment_method : newId('pm');
  if (passed) return succeed(account, id, paymentMethodId, { type: 'card', card }, cause, true);
  const failed = changePaymentIntent(account, id, {
    status: 'requires_payment_method',
    payment_method: null,
    next_action: null,
    last_payment_error: paymentError(AUTHENTICATION_FAILED),
  });
  emit(account, 'payment_intent.payment_failed', failed, cause);
  return { outcome: 'declined', decline: AUTHENTICATION_FAILED };
}

function paymentError(decline: Decline, chargeId?: string): Stripe.PaymentIntent.LastPaymentError {
  return {
    ...(chargeId === undefined ? {} : { charge: chargeId }),
    ...(decline.code === undefined ? {} : { code: decline.code }),
    ...(decline.decline_code === undefined ? {} : { decline_code: decline.decline_code }),
    message: decline.message,
    type: decline.code === AUTHENTICATION_FAILED.code ? 'invalid_request_error' : 'card_error',
  };
}

function decline(
  account: Account,
  id: string,
  paymentMethodId: string,
  method: Method,
  reason: Decline,
  cause: Cause,
): Attempt {
  const { paymentIntent } = paymentIntentRecord(account, id);
  const result = { status: 'failed', decline: reason } as const;
  const charge = buildCharge(paymentIntent, paymentMethodId, method, result, false, seconds(account));
  account.store.put('charges', charge.id, charge);
  emit(account, 'charge.failed', charge, cause);
  const failed = changePaymentIntent(account, id, {
    status: 'requires_payment_method',
    payment_method: null,
    next_action: null,
    latest_charge: charge.id,
    last_payment_error: paymentError(reason, charge.id),
  });
  emit(account, 'payment_intent.payment_failed', failed, cause);
  return { outcome: 'declined', decline: reason, chargeId: charge.id };
}

function succeed(
  account: Account,
  id: string,
  paymentMethodId: string,
  method: Method & { type: 'card' },
  cause: Cause,
  authenticated = false,
): Attempt {
  const { paymentIntent } = paymentIntentRecord(account, id);
  const { effect } = method.card;
  const result = { status: 'succeeded' } as const;
  const plain = buildCharge(paymentIntent, paymentMethodId, method, result, authenticated, seconds(account));
  const review = effect.kind === 'pays_and_is_reviewed' ? buildReview(account, plain, 'rule') : undefined;
  const charge = review === undefined ? plain : { ...plain, review: review.id, outcome: REVIEWED_OUTCOME };
  account.store.put('charges', charge.id, charge);
  emit(account, 'charge.succeeded', charge, cause);
  if (review !== undefined) {
    account.store.put('reviews', review.id, review);
    emit(account, 'review.opened', review, cause);
  }
  const paid = changePaymentIntent(
    account,
    id,
    {
      status: 'succeeded',
      amount_received: paymentIntent.amount,
      payment_method: paymentMethodId,
      latest_charge: charge.id,
      next_action: null,
      last_payment_error: null,
      review: review?.id ?? null,
    },
    effect.kind === 'pays_and_refunds_are_pending' ? { refundsArePending: true } : {},
  );
  emit(account, 'payment_intent.succeeded', paid, cause);
  return { outcome: 'succeeded' };
}

function beginBankDebit(
  account: Account,
  id: string,
  paymentMethodId: string,
  method: Method & { type: 'us_bank_account' },
  cause: Cause,
): Attempt {
  const { paymentIntent } = paymentIntentRecord(account, id);
  const charge = buildCharge(paymentIntent, paymentMethodId, method, { status: 'pending' }, false, seconds(account));
  account.store.put('charges', charge.id, charge);
  emit(account, 'charge.pending', charge, cause);
  const processing = changePaymentIntent(
    account,
    id,
    {
      status: 'processing',
      payment_method: paymentMethodId,
      latest_charge: charge.id,
      next_action: null,
      last_payment_error: null,
    },
    method.settles === undefined ? {} : { settles: method.settles },
  );
  emit(account, 'payment_intent.processing', processing, cause);
  return { outcome: 'processing' };
}

/**
 * A bank debit ends: the bank paid it or did not.
 *
 * @throws StripeApiError 400 when the payment intent is not processing
 */
export function settleBankDebit(account: Account, id: string, result: 'succeeded' | 'failed', cause: Cause): Attempt {
  const { paymentIntent } = paymentIntentRecord(account, id);
  const before =
    typeof paymentIntent.latest_charge === 'string'
      ? account.store.get('charges', paymentIntent.latest_charge)
      : undefined;
  if (paymentIntent.status !== 'processing' || before === undefined) {
    throw refused(`PaymentIntent ${id} has no bank debit under way; its status is ${paymentIntent.status}.`);
  }
  if (result === 'succeeded') {
    const charge: Stripe.Charge = { ...before, status: 'succeeded', paid: true };
    account.store.put('charges', charge.id, charge);
    emit(account, 'charge.succeeded', charge, cause);
    const paid = changePaymentIntent(account, id, { status: 'succeeded', amount_received: paymentIntent.amount });
    emit(account, 'payment_intent.succeeded', paid, cause);
    return { outcome: 'succeeded' };
  }
  const charge: Stripe.Charge = {
    ...before,
    status: 'failed',
    paid: false,
    captured: false,
    amount_captured: 0,
    failure_code: BANK_DEBIT_FAILED.code ?? null,
    failure_message: BANK_DEBIT_FAILED.message,
  };
  account.store.put('charges', charge.id, charge);
  emit(account, 'charge.failed', charge, cause);
  const failed = changePaymentIntent(account, id, {
    status: 'requires_payment_method',
    payment_method: null,
    last_payment_error: {
      ...paymentError(BANK_DEBIT_FAILED, charge.id),
      payment_method: buildBankPaymentMethod(charge),
    },
  });
  emit(account, 'payment_intent.payment_failed', failed, cause);
  return { outcome: 'declined', decline: BANK_DEBIT_FAILED, chargeId: charge.id };
}

/** Ends a payment intent that took no money. */
export function cancelPaymentIntent(
  account: Account,
  id: string,
  reason: Stripe.PaymentIntent.CancellationReason | null,
  cause: Cause,
): Stripe.PaymentIntent {
  const canceled = changePaymentIntent(account, id, {
    status: 'canceled',
    canceled_at: seconds(account),
    cancellation_reason: reason,
    next_action: null,
  });
  emit(account, 'payment_intent.canceled', canceled, cause);
  return canceled;
}

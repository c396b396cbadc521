import { ApplicationFailure } from '@temporalio/common';
import { Stripe } from 'stripe';
import {
  PAYMENT_DISPUTED,
  RESERVATION_RELEASED,
  STRIPE_KEPT_FAILURE,
  STRIPE_MISCONFIGURED,
  STRIPE_REFUSED,
  TIMELINE_CONFLICT,
} from '../contracts/failures.ts';
import { TimelineConflictError } from '../database/orders.ts';
import { ReservationReleasedError } from '../database/stock.ts';

/** The bank has not decided a dispute; until then Stripe refunds nothing. */
export class PaymentDisputedError extends Error {
  override readonly name = 'PaymentDisputedError';
}

/** How long to wait before asking Stripe again with settings that an operator has to mend first. */
const MISCONFIGURED_RETRY_MS = 30_000;

/**
 * Says for each error of an activity whether trying again can help, and under which type the workflow knows it. Errors
 * that are not named here are tried again: a database or Stripe that is away comes back.
 *
 * @returns the failure for Temporal, or the error itself where it is to be retried as it is
 */
export function toActivityFailure(error: unknown): unknown {
  if (error instanceof TimelineConflictError) {
    return failure(TIMELINE_CONFLICT, error, { nonRetryable: true });
  }
  if (error instanceof ReservationReleasedError) {
    return failure(RESERVATION_RELEASED, error, { nonRetryable: true });
  }
  if (error instanceof PaymentDisputedError) {
    return failure(PAYMENT_DISPUTED, error, { nonRetryable: true });
  }
  if (error instanceof Stripe.errors.StripeError) return toStripeFailure(error);
  return error;
}

/**
 * Says for an error of a refund whether trying again can help: always, under another key where Stripe keeps its answer
 * under this one. The customer's money is not ours to give up on.
 */
export function toRefundFailure(error: unknown): unknown {
  if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) return error;
  return isReplayed(error)
    ? failure(STRIPE_KEPT_FAILURE, error, { nonRetryable: true })
    : failure(STRIPE_MISCONFIGURED, error, { nonRetryable: false, nextRetryDelay: MISCONFIGURED_RETRY_MS });
}

/** Whether Stripe gave an answer that it keeps under the idempotency key, instead of trying. */
function isReplayed(error: Stripe.errors.StripeError): boolean {
  return error.headers?.['idempotent-replayed'] === 'true';
}

function toStripeFailure(error: Stripe.errors.StripeError): unknown {
  if (error instanceof Stripe.errors.StripeConnectionError || error instanceof Stripe.errors.StripeRateLimitError) {
    return error;
  }
  const status = error.statusCode ?? 0;
  if (status >= 500) {
    return isReplayed(error) ? failure(STRIPE_KEPT_FAILURE, error, { nonRetryable: true }) : error;
  }
  // Another attempt with the same key is still at work at Stripe.
  if (error.code === 'idempotency_key_in_use' || status === 409) return error;
  if (
    error instanceof Stripe.errors.StripeAuthenticationError ||
    error instanceof Stripe.errors.StripePermissionError ||
    error instanceof Stripe.errors.StripeIdempotencyError ||
    // The addresses come from PUBLIC_URL.
    error.param === 'success_url' ||
    error.param === 'cancel_url' ||
    // All ids are Stripe's own: one that it does not know belongs to another account or mode.
    error.code === 'resource_missing'
  ) {
    return failure(STRIPE_MISCONFIGURED, error, { nonRetryable: false, nextRetryDelay: MISCONFIGURED_RETRY_MS });
  }
  return status >= 400 ? failure(STRIPE_REFUSED, error, { nonRetryable: true, details: [error.code] }) : error;
}

function failure(
  type: string,
  cause: Error,
  options: { readonly nonRetryable: boolean; readonly nextRetryDelay?: number; readonly details?: unknown[] },
): ApplicationFailure {
  return ApplicationFailure.create({ type, message: cause.message, cause, ...options });
}

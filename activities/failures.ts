import { ApplicationFailure } from '@temporalio/common';
import { Stripe } from 'stripe';
import {
  PAYMENT_DISPUTED,
  REFUND_REFUSED,
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

/** With settings that an operator has to fix first, Stripe is asked again after this, then after twice as long, and so on. */
const MISCONFIGURED_RETRY_MS = 30_000;
const MISCONFIGURED_RETRY_MAX_MS = 600_000;

/**
 * Says for each error of an activity whether trying again can help, and under which type the workflow knows it. Errors
 * that are not named here are tried again: a database or Stripe that is away comes back.
 *
 * @param attempt how often it was tried, from 1
 * @returns the failure for Temporal, or the error itself if it is to be retried as it is
 */
export function toActivityFailure(error: unknown, attempt = 1): unknown {
  if (error instanceof TimelineConflictError) {
    return failure(TIMELINE_CONFLICT, error, { nonRetryable: true });
  }
  if (error instanceof ReservationReleasedError) {
    return failure(RESERVATION_RELEASED, error, { nonRetryable: true });
  }
  if (error instanceof PaymentDisputedError) {
    return failure(PAYMENT_DISPUTED, error, { nonRetryable: true });
  }
  if (!(error instanceof Stripe.errors.StripeError) || passesByItself(error)) return error;
  if (isServerError(error)) return failure(STRIPE_KEPT_FAILURE, error, { nonRetryable: true });
  // A refusal in the middle of an order is the operator's to fix: a final failure would stay in the order's history, and
  // stop it even after the fix.
  const nextRetryDelay = Math.min(MISCONFIGURED_RETRY_MS * 2 ** (attempt - 1), MISCONFIGURED_RETRY_MAX_MS);
  return failure(STRIPE_MISCONFIGURED, error, { nonRetryable: false, nextRetryDelay });
}

/** Says for an error of making a payment whether the order must do without one: only a fault of the order itself. */
export function toCreateFailure(error: unknown): unknown {
  const isOrdersFault =
    error instanceof Stripe.errors.StripeInvalidRequestError &&
    !passesByItself(error) &&
    // The addresses come from PUBLIC_URL.
    error.param !== 'success_url' &&
    error.param !== 'cancel_url' &&
    // All ids are Stripe's own: one that it does not know belongs to another account or mode.
    error.code !== 'resource_missing';
  return isOrdersFault ? failure(STRIPE_REFUSED, error, { nonRetryable: true, details: [error.code] }) : error;
}

/**
 * Says for an error of a refund how it goes on: the workflow asks again after a pause, under another key, however long it
 * takes. The customer's money is not ours to give up on.
 */
export function toRefundFailure(error: unknown): unknown {
  if (!(error instanceof Stripe.errors.StripeError) || passesByItself(error) || isServerError(error)) return error;
  return failure(REFUND_REFUSED, error, { nonRetryable: true });
}

/** Whether the same request may well be answered in a moment. */
function passesByItself(error: Stripe.errors.StripeError): boolean {
  return (
    error instanceof Stripe.errors.StripeConnectionError ||
    error instanceof Stripe.errors.StripeRateLimitError ||
    (isServerError(error) && !isReplayed(error)) ||
    // Another attempt with the same key is still at work at Stripe.
    error.code === 'idempotency_key_in_use' ||
    error.statusCode === 409 ||
    error.statusCode === undefined
  );
}

function isServerError({ statusCode = 0 }: Stripe.errors.StripeError): boolean {
  return statusCode >= 500;
}

/** Whether Stripe gave an answer that it keeps under the idempotency key, instead of trying. */
function isReplayed(error: Stripe.errors.StripeError): boolean {
  return error.headers?.['idempotent-replayed'] === 'true';
}

function failure(
  type: string,
  cause: Error,
  options: { readonly nonRetryable: boolean; readonly nextRetryDelay?: number; readonly details?: unknown[] },
): ApplicationFailure {
  return ApplicationFailure.create({ type, message: cause.message, cause, ...options });
}

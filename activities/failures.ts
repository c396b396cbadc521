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
import { TimelineConflictError } from '../database/timeline.ts';
import { ReservationReleasedError } from '../database/stock.ts';

/** The bank has not decided a dispute; until then Stripe refunds nothing. */
export class PaymentDisputedError extends Error {
  override readonly name = 'PaymentDisputedError';
}

/** The first retry with settings that an operator has to fix; each pause is twice the last one. */
const MISCONFIGURED_RETRY_MS = 30_000;
const MISCONFIGURED_RETRY_MAX_MS = 600_000;

/**
 * Decides for each error of an activity whether a retry can help, and by which type the workflow recognizes it. Errors
 * that are not named here are retried: a database or Stripe that is down comes back.
 *
 * @param attempt the number of the attempt, from 1
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
  // A refusal in the middle of an order is for the operator to fix: a final failure would stay in the order's history,
  // and stop it even after the fix.
  const nextRetryDelay = Math.min(MISCONFIGURED_RETRY_MS * 2 ** (attempt - 1), MISCONFIGURED_RETRY_MAX_MS);
  return failure(STRIPE_MISCONFIGURED, error, { nonRetryable: false, nextRetryDelay });
}

/** Decides for an error of creating a payment whether the order gets none: only if the order itself is at fault. */
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
 * Decides how a refund goes on after an error: the workflow retries after a pause, under another key, however long it
 * takes. The customer's money is not ours to give up on.
 */
export function toRefundFailure(error: unknown): unknown {
  if (!(error instanceof Stripe.errors.StripeError) || passesByItself(error) || isServerError(error)) return error;
  return failure(REFUND_REFUSED, error, { nonRetryable: true });
}

/** Whether the same request may well succeed in a moment. */
function passesByItself(error: Stripe.errors.StripeError): boolean {
  return (
    error instanceof Stripe.errors.StripeConnectionError ||
    error instanceof Stripe.errors.StripeRateLimitError ||
    (isServerError(error) && !isReplayed(error)) ||
    // Stripe is still working on another attempt with the same key.
    error.code === 'idempotency_key_in_use' ||
    error.statusCode === 409 ||
    error.statusCode === undefined
  );
}

function isServerError({ statusCode = 0 }: Stripe.errors.StripeError): boolean {
  return statusCode >= 500;
}

/** Whether this is an answer that Stripe has stored under the idempotency key, so that a retry would get it again. */
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

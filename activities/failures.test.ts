import { ApplicationFailure } from '@temporalio/common';
import { Stripe } from 'stripe';
import { describe, expect, test } from 'vitest';
import {
  REFUND_REFUSED,
  RESERVATION_RELEASED,
  STRIPE_KEPT_FAILURE,
  STRIPE_MISCONFIGURED,
  STRIPE_REFUSED,
  TIMELINE_CONFLICT,
} from '../contracts/failures.ts';
import { TimelineConflictError } from '../database/timeline.ts';
import { ReservationReleasedError } from '../database/stock.ts';
import { toActivityFailure, toCreateFailure, toRefundFailure } from './failures.ts';

function stripeError(raw: { type: string; statusCode: number; code?: string; replayed?: boolean }) {
  const headers: Record<string, string> = raw.replayed === true ? { 'idempotent-replayed': 'true' } : {};
  return Stripe.errors.StripeError.generate({ ...raw, message: 'no', headers } as Parameters<
    typeof Stripe.errors.StripeError.generate
  >[0]);
}

/** What the workflow sees: the type, and whether it is tried again. `as it is`: tried again without a type of ours. */
function outcome(failure: unknown): string {
  if (!(failure instanceof ApplicationFailure)) return 'tried again as it is';
  return `${failure.type ?? ''}, ${failure.nonRetryable === true ? 'final' : 'tried again'}`;
}

describe('an error of an activity', () => {
  test.each([
    ['500', stripeError({ type: 'api_error', statusCode: 500 }), 'tried again as it is'],
    ['429', stripeError({ type: 'rate_limit_error', statusCode: 429 }), 'tried again as it is'],
    [
      '409 in use',
      stripeError({ type: 'invalid_request_error', statusCode: 409, code: 'idempotency_key_in_use' }),
      'tried again as it is',
    ],
    [
      'a kept 500',
      stripeError({ type: 'api_error', statusCode: 500, replayed: true }),
      `${STRIPE_KEPT_FAILURE}, final`,
    ],
    ['401', stripeError({ type: 'authentication_error', statusCode: 401 }), `${STRIPE_MISCONFIGURED}, tried again`],
    ['403', stripeError({ type: 'invalid_request_error', statusCode: 403 }), `${STRIPE_MISCONFIGURED}, tried again`],
    [
      'a key with other parameters',
      stripeError({ type: 'idempotency_error', statusCode: 400 }),
      `${STRIPE_MISCONFIGURED}, tried again`,
    ],
    [
      'an id of another account',
      stripeError({ type: 'invalid_request_error', statusCode: 404, code: 'resource_missing' }),
      `${STRIPE_MISCONFIGURED}, tried again`,
    ],
    [
      'a refusal in the middle of an order',
      stripeError({ type: 'invalid_request_error', statusCode: 400 }),
      `${STRIPE_MISCONFIGURED}, tried again`,
    ],
    [
      'no connection',
      new Stripe.errors.StripeConnectionError({ message: 'no', type: 'api_error' }),
      'tried again as it is',
    ],
    ['a timeline that says otherwise', new TimelineConflictError('no'), `${TIMELINE_CONFLICT}, final`],
    ['a hold after the give-back', new ReservationReleasedError('no'), `${RESERVATION_RELEASED}, final`],
    ['a database that is down', new Error('connect ECONNREFUSED'), 'tried again as it is'],
  ])('%s', (_what, error, expected) => {
    expect(outcome(toActivityFailure(error))).toBe(expected);
  });
});

test('settings that somebody has to fix are tried again after growing pauses', () => {
  const error = stripeError({ type: 'authentication_error', statusCode: 401 });
  const pauses = [1, 2, 3, 10].map(
    (attempt) => (toActivityFailure(error, attempt) as ApplicationFailure).nextRetryDelay,
  );
  expect(pauses).toEqual([30_000, 60_000, 120_000, 600_000]);
});

describe('an error of making a payment ends the order only if the order is at fault', () => {
  test.each([
    [
      'too small an amount',
      stripeError({ type: 'invalid_request_error', statusCode: 400, code: 'amount_too_small' }),
      `${STRIPE_REFUSED}, final`,
    ],
    ['401', stripeError({ type: 'authentication_error', statusCode: 401 }), `${STRIPE_MISCONFIGURED}, tried again`],
    [
      'a key with other parameters',
      stripeError({ type: 'idempotency_error', statusCode: 400 }),
      `${STRIPE_MISCONFIGURED}, tried again`,
    ],
    [
      'an id of another account',
      stripeError({ type: 'invalid_request_error', statusCode: 404, code: 'resource_missing' }),
      `${STRIPE_MISCONFIGURED}, tried again`,
    ],
    ['500', stripeError({ type: 'api_error', statusCode: 500 }), 'tried again as it is'],
  ])('%s', (_what, error, expected) => {
    expect(outcome(toActivityFailure(toCreateFailure(error)))).toBe(expected);
  });
});

describe('an error of a refund goes to the workflow, which asks again under another key', () => {
  test.each([
    [
      'too low a balance',
      stripeError({ type: 'invalid_request_error', statusCode: 400, code: 'balance_insufficient' }),
      `${REFUND_REFUSED}, final`,
    ],
    ['a wrong key', stripeError({ type: 'authentication_error', statusCode: 401 }), `${REFUND_REFUSED}, final`],
    [
      'a kept 500',
      stripeError({ type: 'api_error', statusCode: 500, replayed: true }),
      `${STRIPE_KEPT_FAILURE}, final`,
    ],
    ['500', stripeError({ type: 'api_error', statusCode: 500 }), 'tried again as it is'],
    [
      'no connection',
      new Stripe.errors.StripeConnectionError({ message: 'no', type: 'api_error' }),
      'tried again as it is',
    ],
  ])('%s', (_what, error, expected) => {
    expect(outcome(toActivityFailure(toRefundFailure(error)))).toBe(expected);
  });
});

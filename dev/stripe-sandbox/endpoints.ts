import type { Stripe } from 'stripe';
import { z } from 'zod';
import { cardOfTestMethod } from './cards.ts';
import { findDispute } from './dispute-objects.ts';
import { found, get, list, newest, noParams, post, type Call, type V1Endpoint } from './endpoint.ts';
import { invalidRequest, notChargeable, refused, resourceMissing, StripeApiError } from './errors.ts';
import { emit, NO_REQUEST, seconds, type Account, type Cause } from './events.ts';
import { formatAmount, MAXIMUM_AMOUNT, minimumAmount, whyNotChargeable } from './money.ts';
import * as params from './params.ts';
import { buildPaymentIntent } from './payment-objects.ts';
import * as payments from './payments.ts';
import * as radar from './radar.ts';
import * as refunds from './refunds.ts';
import * as sessionPayments from './session-payments.ts';
import * as sessions from './sessions.ts';

const text = z.string().optional();

const eventFilters = {
  type: text,
  types: z.array(z.string()).optional(),
  delivery_success: params.boolean.optional(),
};

/** Everything that the sandbox answers under /v1. */
export const V1_ENDPOINTS: readonly V1Endpoint[] = [
  post('/v1/checkout/sessions', ({ account, input }) =>
    sessions.createSession(account, params.parseParams(sessions.sessionCreateParams, input)),
  ),
  list('/v1/checkout/sessions', { payment_intent: text, status: text }, (account, filter) => {
    sessions.expireDueSessions(account);
    return newest(account.store.all('sessions'))
      .map(({ session }) => session)
      .filter(
        ({ payment_intent, status }) =>
          (filter.payment_intent === undefined || payment_intent === filter.payment_intent) &&
          (filter.status === undefined || status === filter.status),
      );
  }),
  get('/v1/checkout/sessions/:id', ({ account, id }) => sessions.sessionRecord(account, id).session),
  post('/v1/checkout/sessions/:id', ({ account, id, input }) =>
    sessions.updateSession(account, id, params.parseParams(sessions.sessionUpdateParams, input)),
  ),
  post('/v1/checkout/sessions/:id/expire', ({ account, id, input, cause }) => {
    params.parseParams(noParams, input);
    return sessions.expireSession(account, id, cause);
  }),
  list('/v1/checkout/sessions/:id/line_items', {}, (account, _filter, id): Stripe.LineItem[] => {
    const record = sessions.sessionRecord(account, id);
    return record.lines.map((line) => sessions.buildLineItem(line, record));
  }),

  post('/v1/payment_intents', createPaymentIntent),
  list('/v1/payment_intents', {}, (account) =>
    newest(account.store.all('paymentIntents')).map(({ paymentIntent }) => paymentIntent),
  ),
  get('/v1/payment_intents/:id', ({ account, id }) => payments.paymentIntentRecord(account, id).paymentIntent),
  post('/v1/payment_intents/:id', ({ account, id, input }) => {
    const given = params.parseParams(z.strictObject({ metadata: params.metadata.default({}) }), input);
    const { paymentIntent } = payments.paymentIntentRecord(account, id);
    return payments.changePaymentIntent(account, id, {
      metadata: params.mergeMetadata(paymentIntent.metadata, given.metadata),
    });
  }),
  post('/v1/payment_intents/:id/confirm', ({ account, id, input, cause }) => {
    const given = params.parseParams(
      z.strictObject({ payment_method: text, return_url: params.url.optional() }),
      input,
    );
    refuseForSession(account, id, 'confirm');
    return confirmPaymentIntent(account, id, given, cause);
  }),
  post('/v1/payment_intents/:id/cancel', ({ account, id, input, cause }) => {
    const reasons = z.enum(['duplicate', 'fraudulent', 'requested_by_customer', 'abandoned']);
    const given = params.parseParams(z.strictObject({ cancellation_reason: reasons.optional() }), input);
    refuseForSession(account, id, 'cancel');
    const { status } = payments.paymentIntentRecord(account, id).paymentIntent;
    if (!['requires_payment_method', 'requires_confirmation', 'requires_action'].includes(status)) {
      throw refused(
        `You cannot cancel this PaymentIntent because it has a status of ${status}.`,
        'payment_intent_unexpected_state',
      );
    }
    return payments.cancelPaymentIntent(account, id, given.cancellation_reason ?? null, cause);
  }),

  post('/v1/refunds', ({ account, input, cause }) =>
    refunds.createRefund(account, params.parseParams(refunds.refundCreateParams, input), cause),
  ),
  list('/v1/refunds', { payment_intent: text, charge: text }, (account, filter) =>
    newest(account.store.all('refunds')).filter((refund) => ofPayment(refund, filter)),
  ),
  get('/v1/refunds/:id', ({ account, id }) => refunds.findRefund(account, id)),
  post('/v1/refunds/:id', ({ account, id, input, cause }) =>
    refunds.updateRefund(account, id, params.parseParams(refunds.refundUpdateParams, input), cause),
  ),

  list('/v1/charges', { payment_intent: text }, (account, filter) =>
    newest(account.store.all('charges')).filter(
      ({ payment_intent }) => filter.payment_intent === undefined || payment_intent === filter.payment_intent,
    ),
  ),
  get('/v1/charges/:id', ({ account, id }) => found(account.store.get('charges', id), 'charge', id)),

  list('/v1/disputes', { payment_intent: text, charge: text }, (account, filter) =>
    newest(account.store.all('disputes')).filter((dispute) => ofPayment(dispute, filter)),
  ),
  get('/v1/disputes/:id', ({ account, id }) => findDispute(account, id)),

  // Open ones only, as at Stripe.
  list('/v1/reviews', {}, (account) => newest(account.store.all('reviews')).filter(({ open }) => open)),
  get('/v1/reviews/:id', ({ account, id }) => radar.findReview(account, id)),
  post('/v1/reviews/:id/approve', ({ account, id, input, cause }) => {
    params.parseParams(noParams, input);
    return radar.closeReview(account, id, 'approved', cause);
  }),

  list('/v1/radar/early_fraud_warnings', { payment_intent: text, charge: text }, (account, filter) =>
    newest(account.store.all('fraudWarnings')).filter((warning) => ofPayment(warning, filter)),
  ),
  get('/v1/radar/early_fraud_warnings/:id', ({ account, id }) => radar.findFraudWarning(account, id)),

  list('/v1/events', eventFilters, (account, { type, types, delivery_success: delivered }) =>
    newest(account.store.all('events'))
      .filter((event) => (type === undefined || event.type === type) && (types?.includes(event.type) ?? true))
      .map((event) => withPendingWebhooks(account, event))
      .filter((event) => delivered === undefined || delivered === (event.pending_webhooks === 0)),
  ),
  get('/v1/events/:id', ({ account, id }) =>
    withPendingWebhooks(account, found(account.store.get('events', id), 'event', id)),
  ),
];

type OfPayment = { payment_intent?: unknown; charge?: unknown };

/** Whether an object belongs to the payment intent and the charge that a list is asked for. */
function ofPayment({ payment_intent, charge }: OfPayment, filter: OfPayment): boolean {
  return (
    (filter.payment_intent === undefined || payment_intent === filter.payment_intent) &&
    (filter.charge === undefined || charge === filter.charge)
  );
}

function withPendingWebhooks<T extends { id: string }>(account: Account, event: T): T & { pending_webhooks: number } {
  const pending = account.store.get('deliveries', event.id)?.status === 'delivered' ? 0 : 1;
  return { ...event, pending_webhooks: pending };
}

const paymentIntentParams = z.strictObject({
  amount: params.integer.refine((amount) => amount >= 1, 'must be at least 1'),
  currency: params.currency,
  description: params.nonEmpty(1000).optional(),
  metadata: params.metadata.default({}),
  payment_method: text,
  automatic_payment_methods: z
    .strictObject({ enabled: params.boolean, allow_redirects: z.enum(['always', 'never']).optional() })
    .optional(),
  confirm: params.boolean.default(false),
  return_url: params.url.optional(),
});

function createPaymentIntent({ account, input, cause }: Call): Stripe.PaymentIntent {
  const given = params.parseParams(paymentIntentParams, input);
  if (given.amount < minimumAmount(given.currency)) {
    const least = formatAmount(minimumAmount(given.currency), given.currency);
    throw invalidRequest(`Amount must be at least ${least} ${given.currency}`, 'amount', 'amount_too_small');
  }
  if (given.amount > MAXIMUM_AMOUNT) {
    const most = formatAmount(MAXIMUM_AMOUNT, given.currency);
    throw invalidRequest(`Amount must be no more than ${most} ${given.currency}`, 'amount', 'amount_too_large');
  }
  const why = whyNotChargeable(given.amount, given.currency);
  if (why !== undefined) throw notChargeable(why, 'amount');
  const { allow_redirects, enabled = true } = given.automatic_payment_methods ?? {};
  const paymentIntent = buildPaymentIntent({
    amount: given.amount,
    currency: given.currency,
    description: given.description ?? null,
    metadata: params.mergeMetadata({}, given.metadata),
    paymentMethodTypes: ['card'],
    automaticPaymentMethods: { enabled, allow_redirects: allow_redirects ?? 'always' },
    created: seconds(account),
  });
  account.store.put('paymentIntents', paymentIntent.id, { paymentIntent, sessionId: null, returnUrl: null });
  emit(account, 'payment_intent.created', paymentIntent, cause);
  if (given.confirm) return confirmPaymentIntent(account, paymentIntent.id, given, cause);
  return paymentIntent;
}

/** What belongs to a Checkout Session is moved through the session alone. */
function refuseForSession(account: Account, id: string, verb: string): void {
  const { sessionId } = payments.paymentIntentRecord(account, id);
  if (sessionId === null) return;
  throw refused(
    `You cannot ${verb} this PaymentIntent because it was created by Checkout Session ${sessionId}. Pay or expire the Checkout Session instead.`,
    'payment_intent_unexpected_state',
  );
}

function confirmPaymentIntent(
  account: Account,
  id: string,
  given: { payment_method?: string | undefined; return_url?: string | undefined },
  cause: Cause,
): Stripe.PaymentIntent {
  if (given.payment_method === undefined) {
    throw invalidRequest('Missing required param: payment_method.', 'payment_method', 'parameter_missing');
  }
  const card = cardOfTestMethod(given.payment_method, new Date(account.now()));
  if (card === undefined) throw resourceMissing('PaymentMethod', given.payment_method, 'payment_method');
  payments.changePaymentIntent(account, id, {}, { returnUrl: given.return_url ?? null });
  const attempt = payments.attemptPayment(account, id, { type: 'card', card }, cause);
  const { paymentIntent } = payments.paymentIntentRecord(account, id);
  if (attempt.outcome === 'declined') {
    throw new StripeApiError(
      402,
      { type: 'card_error', ...attempt.decline, charge: attempt.chargeId, payment_intent: paymentIntent },
      true,
    );
  }
  if (attempt.outcome === 'succeeded') payments.afterPayment(account, id, { type: 'card', card });
  return paymentIntent;
}

/** Ends what time ends: sessions whose time is over, and bank debits that end by themselves. */
export function passTime(account: Account): void {
  sessions.expireDueSessions(account);
  for (const { paymentIntent, sessionId, settles } of account.store.all('paymentIntents')) {
    if (paymentIntent.status !== 'processing' || settles === undefined || settles.atMs > account.now()) continue;
    if (sessionId === null) payments.settleBankDebit(account, paymentIntent.id, settles.result, NO_REQUEST);
    else sessionPayments.settleSession(account, sessionId, settles.result);
  }
}

import type Stripe from 'stripe';
import { z } from 'zod';
import { unreachable } from '../../domain/must.ts';
import type { StripeEvent } from '../../domain/stripe-event.ts';
import { toCheckoutSession } from '../../platform/stripe.ts';
import { type HandledEvent, subjectOf } from './received-event.ts';

const id = z.string().min(1).max(255);

/** Of Stripe's objects only what is read here is checked; the rest is Stripe's to change. */
const sessionSchema = z.looseObject({
  id,
  livemode: z.boolean(),
  status: z.enum(['open', 'complete', 'expired']).nullable(),
  payment_status: z.enum(['paid', 'unpaid', 'no_payment_required']),
  payment_intent: z.union([id, z.looseObject({ id, status: z.string() })]).nullable(),
  amount_total: z.int().nullable(),
  currency: z.string().nullable(),
  metadata: z.record(z.string(), z.string()).nullish(),
});
const paymentIntentSchema = z.looseObject({
  id,
  last_payment_error: z
    .looseObject({
      code: z.string().nullish(),
      decline_code: z.string().nullish(),
      payment_method: z.looseObject({ type: z.string() }).nullish(),
    })
    .nullish(),
});

/**
 * The payment methods whose result comes hours or days after the customer has left: bank debits, bank transfers,
 * vouchers and Sofort (https://docs.stripe.com/payments/payment-methods/payment-method-support). All others tell at
 * once whether they were paid, cards, wallets and redirects to a bank, so whoever is declined can try again. A method
 * that Stripe adds some day counts as one of those until it stands here.
 */
const DELAYED_METHODS: ReadonlySet<string> = new Set([
  'acss_debit',
  'au_becs_debit',
  'bacs_debit',
  'boleto',
  'customer_balance',
  'konbini',
  'multibanco',
  'nz_bank_account',
  'oxxo',
  'sepa_debit',
  'sofort',
  'us_bank_account',
]);

export type Reading =
  | { readonly event: StripeEvent }
  /** What of the object is not as Stripe documents it. */
  | { readonly problems: readonly string[] };

/** Where an object comes from: from the event, as it was when the event was made, or read from Stripe just now. */
type Source = { readonly object: unknown; readonly isFresh: boolean };

/**
 * Reduces an event to what an order acts on: no card data, no names.
 *
 * @param received an event that names an order of ours
 * @param source the event's own object unless it was read anew
 */
export function toStripeEvent(
  received: HandledEvent,
  source: Source = { object: received.object, isFresh: false },
): Reading {
  const { eventId, type, createdMs } = received;
  switch (type) {
    case 'checkout.session.completed':
    case 'checkout.session.expired':
    case 'checkout.session.async_payment_succeeded':
    case 'checkout.session.async_payment_failed': {
      const parsed = sessionSchema.safeParse(source.object);
      if (!parsed.success) return { problems: problemsOf(parsed.error) };
      const session = toCheckoutSession(parsed.data as unknown as Stripe.Checkout.Session);
      // An event's session does not tell a payment that failed from one that is still on its way; its type does.
      const failed = type === 'checkout.session.async_payment_failed' && !source.isFresh;
      return {
        event: {
          eventId,
          type,
          createdMs,
          paymentIntentId: session.paymentIntentId,
          about: 'session',
          session: failed ? { ...session, payment: 'failed' } : session,
        },
      };
    }
    case 'payment_intent.payment_failed': {
      const parsed = paymentIntentSchema.safeParse(source.object);
      if (!parsed.success) return { problems: problemsOf(parsed.error) };
      const { id: paymentIntentId, last_payment_error: error } = parsed.data;
      return {
        event: {
          eventId,
          type,
          createdMs,
          paymentIntentId,
          about: 'decline',
          code: error?.decline_code ?? error?.code ?? 'generic_decline',
          delayed: DELAYED_METHODS.has(error?.payment_method?.type ?? ''),
        },
      };
    }
    case 'charge.refunded':
    case 'refund.failed':
    case 'charge.dispute.created':
    case 'charge.dispute.updated':
    case 'charge.dispute.closed':
    case 'review.opened':
    case 'review.closed':
    case 'radar.early_fraud_warning.created': {
      const { paymentIntentId } = subjectOf(received);
      return { event: { eventId, type, createdMs, paymentIntentId, about: 'charge' } };
    }
    default:
      return unreachable(type);
  }
}

function problemsOf(error: z.ZodError): string[] {
  return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

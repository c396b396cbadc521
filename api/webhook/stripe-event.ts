import type Stripe from 'stripe';
import { z } from 'zod';
import { unreachable } from '../../domain/must.ts';
import { isOrderId } from '../../domain/order-id.ts';
import { type StripeEvent, type StripeEventType, stripeEventTypes } from '../../domain/stripe-event.ts';
import { toCheckoutSession } from '../../platform/stripe.ts';

const envelopeSchema = z.looseObject({
  object: z.string().optional(),
  id: z.string().catch('unknown'),
  type: z.string().catch('unknown'),
  created: z.number().catch(() => Date.now() / 1000),
  livemode: z.boolean().optional().catch(undefined),
  account: z.unknown().optional(),
  api_version: z.string().nullish().catch(null),
  data: z.looseObject({ object: z.looseObject({}) }),
});

/** An event as received, before its object is validated. */
export type ReceivedEvent = {
  readonly eventId: string;
  readonly type: string;
  readonly createdMs: number;
  readonly livemode: boolean | undefined;
  /** Whether it is from an account that is connected to ours, whose payments are not for our orders. */
  readonly ofOtherAccount: boolean;
  /** The version of Stripe's API in which its object is rendered. */
  readonly apiVersion: string | null;
  readonly object: Readonly<Record<string, unknown>>;
};

/** An event of a type that orders act on. */
export type HandledEvent = ReceivedEvent & { readonly type: StripeEventType };

/**
 * Reads what every snapshot event has. It is lenient: most events are not about orders, and their shape does not
 * matter.
 *
 * @param payload a body whose signature is valid
 * @returns undefined for a thin event, which names its object but does not contain it
 * @see https://docs.stripe.com/event-destinations
 */
export function readReceivedEvent(payload: unknown): ReceivedEvent | undefined {
  const parsed = envelopeSchema.safeParse(payload);
  if (!parsed.success || parsed.data.object === 'v2.core.event') return undefined;
  const { id: eventId, type, created, livemode, account, api_version: apiVersion = null, data } = parsed.data;
  return {
    eventId,
    type,
    createdMs: Math.round(created * 1000),
    livemode,
    ofOtherAccount: account !== undefined && account !== null,
    apiVersion,
    object: data.object,
  };
}

/** Returns what names an event that could not be read, for the log. */
export function namesOf(payload: unknown): { readonly eventId: unknown; readonly type: unknown } {
  const { id, type }: { id?: unknown; type?: unknown } = typeof payload === 'object' && payload !== null ? payload : {};
  return { eventId: id, type };
}

export function isHandled(event: ReceivedEvent): event is HandledEvent {
  return stripeEventTypes.some((handled) => handled === event.type);
}

/**
 * What an event is about, by ids alone. They have the same place in every version of Stripe's API, so they can be read
 * even if nothing else of the object can.
 */
export type Subject = {
  /** The object's id at Stripe. */
  readonly objectId: string | null;
  readonly paymentIntentId: string | null;
  /** The order id that our key wrote into the object's metadata. Fields that a buyer can set are not used. */
  readonly orderId: string | null;
  /**
   * Whether our key writes its order into every such object that it makes; then one without an order is another sale's.
   * Refunds can be made by anybody at Stripe, and disputes, reviews and warnings are made by banks and by Stripe.
   */
  readonly isMadeByOurKey: boolean;
};

/** Reads what an event is about. */
export function subjectOf({ type, object }: HandledEvent): Subject {
  const objectId = idOf(object['id']);
  const paymentIntentId = idOf(object['payment_intent']);
  switch (type) {
    case 'payment_intent.payment_failed':
      return { objectId, paymentIntentId: objectId, orderId: orderIdOf(object['metadata']), isMadeByOurKey: true };
    case 'checkout.session.completed':
    case 'checkout.session.expired':
    case 'checkout.session.async_payment_succeeded':
    case 'checkout.session.async_payment_failed':
      return { objectId, paymentIntentId, orderId: orderIdOf(object['metadata']), isMadeByOurKey: true };
    case 'charge.refunded':
    case 'refund.updated':
    case 'refund.failed':
      return { objectId, paymentIntentId, orderId: orderIdOf(object['metadata']), isMadeByOurKey: false };
    case 'charge.dispute.created':
    case 'charge.dispute.updated':
    case 'charge.dispute.closed':
    case 'review.opened':
    case 'review.closed':
    case 'radar.early_fraud_warning.created':
      return { objectId, paymentIntentId, orderId: null, isMadeByOurKey: false };
    default:
      return unreachable(type);
  }
}

/** Reads the order id that our key wrote into an object's metadata; null if there is none, or it is not an order id. */
export function orderIdOf(metadata: unknown): string | null {
  const orderId = fieldOf(metadata, 'order_id');
  return isOrderId(orderId) ? orderId : null;
}

/** Reads the trace that an order was created in, which comes back from Stripe in the metadata. */
export function traceparentOf({ object }: ReceivedEvent): unknown {
  return fieldOf(object['metadata'], 'traceparent');
}

/** Stripe writes a reference as an id, or as the whole object if it is expanded. */
function idOf(reference: unknown): string | null {
  const id = typeof reference === 'string' ? reference : fieldOf(reference, 'id');
  return typeof id === 'string' && id !== '' ? id : null;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

const id = z.string().min(1).max(255);

/** Only the fields that are used here are validated; Stripe may change the others. */
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
 * vouchers and Sofort (https://docs.stripe.com/payments/payment-methods/payment-method-support). All others, such as
 * cards, wallets and redirects to a bank, have their result at once, so a customer who is declined can try again. A
 * method that Stripe adds counts as one of those until it is listed here.
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
  /** The fields of the object that are not as Stripe documents them. */
  | { readonly problems: readonly string[] };

/** The source of an object: the event, as of when it was created, or Stripe, read just now. */
type Source = { readonly object: unknown; readonly isFresh: boolean };

/**
 * Reduces an event to what an order acts on: no card data, no names.
 *
 * @param received an event that names one of our orders
 * @param source the event's own object unless it was read again
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
      // An event's session does not tell a failed payment from one that is still being processed; the event's type
      // does.
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
    case 'refund.updated':
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

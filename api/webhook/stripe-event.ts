import type Stripe from 'stripe';
import { z } from 'zod';
import { type StripeEvent, type StripeEventType, stripeEventTypes } from '../../contracts/messages.ts';
import { isOrderId } from '../../domain/order-id.ts';
import { unreachable } from '../../domain/must.ts';
import { toCheckoutSession } from '../../platform/stripe.ts';
import { type FieldProblem, invalidRequest } from '../errors.ts';

const id = z.string().min(1).max(255);
const reference = z.union([id, z.looseObject({ id }).transform((object) => object.id)]).nullish();
const metadata = z.record(z.string(), z.string()).nullish();

/** What every event has. */
const eventSchema = z.looseObject({
  id,
  type: z.string().min(1),
  created: z.number(),
  livemode: z.boolean(),
  account: z.string().nullish(),
  data: z.looseObject({ object: z.looseObject({}) }),
});

/** Of Stripe's objects only what is read here is checked; the rest is Stripe's to change. */
const sessionSchema = z.looseObject({
  id,
  livemode: z.boolean(),
  client_reference_id: z.string().nullable(),
  status: z.enum(['open', 'complete', 'expired']).nullable(),
  payment_status: z.enum(['paid', 'unpaid', 'no_payment_required']),
  payment_intent: z.union([id, z.looseObject({ id })]).nullable(),
  amount_total: z.int().nullable(),
  currency: z.string().nullable(),
  metadata,
});
const paymentIntentSchema = z.looseObject({
  id,
  metadata,
  last_payment_error: z.looseObject({ code: z.string().nullish(), decline_code: z.string().nullish() }).nullish(),
});
const disputeSchema = z.looseObject({
  id,
  payment_intent: reference,
  status: z.string(),
  reason: z.string(),
  amount: z.int(),
  currency: z.string(),
});
const refundSchema = z.looseObject({
  id,
  payment_intent: reference,
  failure_reason: z.string().nullish(),
  amount: z.int(),
  currency: z.string(),
  metadata,
});

/** An event of Stripe as the webhook needs it. */
export type ReceivedEvent = {
  readonly eventId: string;
  readonly type: string;
  /** When it happened, in milliseconds since 1970. */
  readonly createdMs: number;
  readonly livemode: boolean;
  /** Whether it happened on an account that is connected to ours, whose payments are not our orders'. */
  readonly ofOtherAccount: boolean;
  /** Undefined for a type that orders do not act on. */
  readonly forOrder: EventForOrder | undefined;
};

export type EventForOrder = {
  /** The order that the event names, or undefined: a dispute names only its payment. */
  readonly orderId: string | undefined;
  /** The trace that the order was created in, as it came back from Stripe. */
  readonly traceparent: string | undefined;
  readonly event: StripeEvent;
};

/**
 * Reduces what Stripe sent to what an order acts on: no card data, no names.
 *
 * @param payload a body whose signature is right
 * @throws ApiError 1000 naming the fields that are not as Stripe documents them
 */
export function parseStripeEvent(payload: unknown): ReceivedEvent {
  const { id: eventId, type, created, livemode, account, data } = parse(eventSchema, payload, '');
  return {
    eventId,
    type,
    createdMs: created * 1000,
    livemode,
    ofOtherAccount: account !== undefined && account !== null,
    forOrder: isHandled(type) ? reduce(eventId, type, data.object) : undefined,
  };
}

function isHandled(type: string): type is StripeEventType {
  return stripeEventTypes.some((handled) => handled === type);
}

function reduce(eventId: string, type: StripeEventType, object: unknown): EventForOrder {
  switch (type) {
    case 'checkout.session.completed':
    case 'checkout.session.expired':
    case 'checkout.session.async_payment_succeeded':
    case 'checkout.session.async_payment_failed':
      return ofSession(eventId, type, object);
    case 'payment_intent.payment_failed': {
      const intent = parse(paymentIntentSchema, object);
      const code = intent.last_payment_error?.decline_code ?? intent.last_payment_error?.code ?? 'generic_decline';
      return {
        ...fromMetadata(intent.metadata),
        event: { eventId, type, paymentIntentId: intent.id, kind: 'declined', code },
      };
    }
    case 'charge.dispute.created':
    case 'charge.dispute.updated':
    case 'charge.dispute.closed':
    case 'charge.dispute.funds_withdrawn':
    case 'charge.dispute.funds_reinstated': {
      const dispute = parse(disputeSchema, object);
      const { id: disputeId, status, reason, amount: amountMinor } = dispute;
      const currency = dispute.currency.toUpperCase();
      const paymentIntentId = dispute.payment_intent ?? null;
      return {
        ...fromMetadata(undefined),
        event: { eventId, type, paymentIntentId, kind: 'dispute', disputeId, status, reason, amountMinor, currency },
      };
    }
    case 'refund.failed': {
      const refund = parse(refundSchema, object);
      return {
        ...fromMetadata(refund.metadata),
        event: {
          eventId,
          type,
          paymentIntentId: refund.payment_intent ?? null,
          kind: 'refundFailed',
          refundId: refund.id,
          reason: refund.failure_reason ?? 'unknown',
          amountMinor: refund.amount,
          currency: refund.currency.toUpperCase(),
        },
      };
    }
    default:
      return unreachable(type);
  }
}

function ofSession(eventId: string, type: StripeEventType, object: unknown): EventForOrder {
  const checked = parse(sessionSchema, object);
  const session = toCheckoutSession(checked as unknown as Stripe.Checkout.Session);
  const fallback = fromMetadata(checked.metadata);
  return {
    orderId: isOrderId(session.orderId) ? session.orderId : fallback.orderId,
    traceparent: fallback.traceparent,
    event: {
      eventId,
      type,
      paymentIntentId: session.paymentIntentId,
      kind: 'session',
      // The session itself does not tell a payment that failed from one that is still on its way; its event does.
      session: type === 'checkout.session.async_payment_failed' ? { ...session, payment: 'failed' } : session,
    },
  };
}

function fromMetadata(values: z.output<typeof metadata>): Pick<EventForOrder, 'orderId' | 'traceparent'> {
  const orderId = values?.['order_id'];
  return { orderId: isOrderId(orderId) ? orderId : undefined, traceparent: values?.['traceparent'] };
}

function parse<T>(schema: z.ZodType<T>, value: unknown, prefix = 'data.object.'): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map((issue): FieldProblem => ({
    path: `${prefix}${issue.path.join('.')}`,
    problem: issue.message,
  }));
  throw invalidRequest(fields);
}

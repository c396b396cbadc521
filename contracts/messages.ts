/**
 * What the API, the workflows and the workers agree on: the names of workflows, signals, updates and task queues, and
 * the shapes that travel between them. Everything here passes through Temporal's JSON converter, so there is no Date
 * and no bigint. No zod: this file is part of the workflow bundle.
 */
import type { OrderLine, RequestedLine } from '../domain/order-lines.ts';
import type { OrderStatus } from '../domain/order-status.ts';
import type { CheckoutSession } from '../domain/payment.ts';

/** Workflow types, as Temporal's Web UI shows them. */
export const ORDER_LIFECYCLE = 'orderLifecycle';
export const PAYMENT_AFTERCARE = 'paymentAftercare';
export const REFUND_ORDER = 'refundOrder';
export const RECOVER_ORDER = 'recoverOrder';

export const CREATE_UPDATE = 'create';
/** Constant, so that a create that is asked for again finds the first one's answer. */
export const CREATE_UPDATE_ID = 'create';
export const CANCEL_UPDATE = 'cancel';
/** Constant, so that all cancels of an order are one. */
export const CANCEL_UPDATE_ID = 'cancel';
export const STRIPE_EVENT_SIGNAL = 'stripeEvent';
/** An operator's wish to refund an order that is paid and not finished; after its end `refundOrder` does it. */
export const REFUND_UPDATE = 'refund';
/** The customer is back from Stripe. An update, since one that is refused leaves nothing in the history. */
export const CUSTOMER_RETURNED_UPDATE = 'customerReturned';

/** Search attributes; `CustomerId` is the client's pseudonymous id, no personal data. */
export const ORDER_STATUS_ATTRIBUTE = 'OrderStatus';
export const CUSTOMER_ID_ATTRIBUTE = 'CustomerId';

export type TaskQueues = {
  readonly orders: string;
  readonly stock: string;
  readonly payment: string;
  readonly fulfillment: string;
};

const ORDERS_QUEUE = 'orders';

/** The names of the task queues; the prefix keeps installations that share a namespace apart. */
export function taskQueues(prefix: string): TaskQueues {
  return {
    orders: `${prefix}${ORDERS_QUEUE}`,
    stock: `${prefix}stock`,
    payment: `${prefix}payment`,
    fulfillment: `${prefix}fulfillment`,
  };
}

/** The task queues of the installation that a workflow on this orders queue belongs to. */
export function taskQueuesBeside(ordersQueue: string): TaskQueues {
  return taskQueues(ordersQueue.slice(0, -ORDERS_QUEUE.length));
}

/** The id of the workflow that handles an event of Stripe for an order that has ended. */
export function aftercareWorkflowId(stripeEventId: string): string {
  return `stripe-${stripeEventId}`;
}

/** The id of the workflow that refunds an order after its end; one order is refunded once. */
export function refundWorkflowId(orderId: string): string {
  return `refund-${orderId}`;
}

/**
 * Starts `orderLifecycle`, whose workflow id is the order id. Everything that Stripe sees of the order is fixed here:
 * Stripe refuses an idempotency key that comes again with other parameters.
 */
export type OrderLifecycleInput = {
  readonly orderId: string;
  readonly customerId: string;
  readonly lines: readonly RequestedLine[];
  /** SHA-256 of customer and lines; a key that comes again with another request is told apart by it. */
  readonly requestHash: string;
  /** Whether the client can ask again for this order with its idempotency key. */
  readonly keyed: boolean;
  /** The OpenTelemetry trace of the create, 32 hexadecimal digits; it stays with the order. */
  readonly traceId: string;
  /** The W3C trace context that the payment carries, so that Stripe's events come back into the order's trace. */
  readonly traceparent: string;
  readonly successUrl: string;
  readonly cancelUrl: string;
  readonly paymentWindowMs: number;
  /** Fulfillment is asked again every few seconds for this long, and then each time that so long has passed. */
  readonly fulfillmentRetryMs: number;
};

export type Shortage = { readonly itemId: string; readonly wanted: number; readonly available: number };

/** Why an order was not made. It holds no stock and has no row. */
export type Refusal =
  | { readonly reason: 'outOfStock'; readonly shortages: readonly Shortage[] }
  | { readonly reason: 'unknownItem'; readonly itemIds: readonly string[] }
  | { readonly reason: 'mixedCurrencies'; readonly currencies: readonly string[] }
  /** Another run made this order before Temporal forgot it; the row has the answer. */
  | { readonly reason: 'orderExists' }
  /** Nobody waits for the answer any more, and nobody can ask for it again. */
  | { readonly reason: 'tooLate' };

/** The result of the update `create`, the same each time that it is asked for. */
export type CreateResult = {
  readonly requestHash: string;
  readonly traceId: string;
  /** Null where the order was made. */
  readonly refusal: Refusal | null;
};

export type CancelRequest = { readonly by: 'customer' | 'operator'; readonly reason: string };

export type RefundRequest = {
  /** Whether the goods go back into stock. */
  readonly restock: boolean;
  readonly reason: string;
};

/** What became of an operator's wish to refund an order. */
export type RefundResult =
  /** Stripe has accepted the refund. */
  | { readonly outcome: 'refunded' }
  /** The goods left before the refund; it was not made, and can be asked for now that this is known. */
  | { readonly outcome: 'shipped'; readonly trackingNumber: string }
  /** Stripe refunds nothing while the bank has not decided a dispute. */
  | { readonly outcome: 'disputed' }
  /** There is nothing to refund in this status. */
  | { readonly outcome: 'notRefundable'; readonly status: OrderStatus };

/** Starts `recoverOrder`, whose workflow id is the order id: an order never has two workflows. */
export type RecoverOrderInput = {
  readonly orderId: string;
  /** How often a fulfillment service that does not answer is asked again, in milliseconds. */
  readonly fulfillmentRetryMs: number;
};

export type RefundOrderInput = RefundRequest & { readonly orderId: string };

/** The result of the update `cancel`: where the order ended. */
export type CancelResult = { readonly status: OrderStatus };

/** The events of Stripe that an order acts on; all others are answered and counted by the webhook, and end there. */
export const stripeEventTypes = [
  'checkout.session.completed',
  'checkout.session.expired',
  'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed',
  'payment_intent.payment_failed',
  'charge.dispute.created',
  'charge.dispute.updated',
  'charge.dispute.closed',
  'charge.dispute.funds_withdrawn',
  'charge.dispute.funds_reinstated',
  'refund.failed',
] as const;

export type StripeEventType = (typeof stripeEventTypes)[number];

/** An event of Stripe, reduced to what an order acts on. No card data, no names. */
export type StripeEvent = {
  readonly eventId: string;
  readonly type: StripeEventType;
  readonly paymentIntentId: string | null;
} & (
  | { readonly kind: 'session'; readonly session: CheckoutSession }
  /** `code` is Stripe's decline code or error code, such as `insufficient_funds`. */
  | { readonly kind: 'declined'; readonly code: string }
  | {
      readonly kind: 'dispute';
      readonly disputeId: string;
      readonly status: string;
      readonly reason: string;
      readonly amountMinor: number;
      readonly currency: string;
    }
  | {
      readonly kind: 'refundFailed';
      readonly refundId: string;
      readonly reason: string;
      readonly amountMinor: number;
      readonly currency: string;
    }
);

/** How the workflow of an order ended: the order's last status, or why there never was an order. */
export type OrderLifecycleResult =
  | { readonly status: OrderStatus }
  | { readonly status: 'REFUSED'; readonly create: CreateResult | null };

export type PaymentAftercareInput = { readonly orderId: string; readonly event: StripeEvent };

export type PaymentAftercareResult = { readonly did: 'nothing' | 'note' | 'refund' };

/** What the stock step gives: the order's lines with their price snapshot, or why there is no order. */
export type HoldStockResult =
  | { readonly held: true; readonly lines: readonly OrderLine[] }
  | { readonly held: false; readonly refusal: Refusal };

/** What became of a shipment that was called off: it will never leave, or it had left before. */
export type CallOffResult =
  | { readonly outcome: 'calledOff' }
  | { readonly outcome: 'shipped'; readonly trackingNumber: string };

export type FulfillmentResult =
  | { readonly outcome: 'shipped'; readonly trackingNumber: string }
  | { readonly outcome: 'impossible'; readonly reason: string };

/** An entry of an order's timeline, with what it changes on the order's row. */
export type TimelineEntry = {
  readonly orderId: string;
  /** Counts the order's entries from 1; an entry that is written again is nothing. */
  readonly seq: number;
  /** The order's status once the entry is written. */
  readonly status: OrderStatus;
  readonly event: string;
  /** For people: what happened and why. */
  readonly detail: string;
  readonly checkoutSessionId?: string;
  readonly paymentLink?: string;
  readonly paymentIntentId?: string;
  readonly trackingNumber?: string;
};

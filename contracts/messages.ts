/**
 * What the API, the workflows and the workers agree on: the names of workflows, signals, updates and task queues, and
 * the shapes that travel between them. Everything here passes through Temporal's JSON converter, so there is no Date
 * and no bigint. No zod: this file is part of the workflow bundle.
 */
import type { OrderLine, RequestedLine } from '../domain/order-lines.ts';
import type { Doubt, WayBack } from '../domain/charge.ts';
import type { RefundRequest } from '../domain/order-message.ts';
import type { OrderStatus } from '../domain/order-status.ts';
import type { StripeEvent } from '../domain/stripe-event.ts';

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
/** Constant, so that a refund that is asked for again finds the first one's answer. */
export const REFUND_UPDATE_ID = 'refund';
/** An operator's word that a paid order is shipped although its payment is in doubt. */
export const RELEASE_UPDATE = 'release';
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

/** Returns the task queues of the installation whose workflows run on this queue. */
export function taskQueuesOfOrdersQueue(ordersQueue: string): TaskQueues {
  return taskQueues(ordersQueue.slice(0, -ORDERS_QUEUE.length));
}

/** The id of the workflow that looks after a payment once its order is past it; one payment, one at a time. */
export function aftercareWorkflowId(paymentIntentId: string): string {
  return `payment-${paymentIntentId}`;
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
  readonly policy: OrderPolicy;
  readonly limits?: OrderLimits;
};

/** How much may be unpaid at once; what is left out has no limit. */
export type OpenLimit = { readonly maxOrders?: number; readonly maxPieces?: number };

/** What keeps one client from holding the whole stock unpaid. */
export type OrderLimits = {
  readonly customer?: OpenLimit;
  /** Of the client's address, of which only a keyed hash is kept. */
  readonly address?: OpenLimit & { readonly hash: string };
};

/** What the shop has decided on for its orders, fixed for an order when it begins. */
export type OrderPolicy = {
  readonly paymentWindowMs: number;
  /** A fulfillment service that is away is asked again each time that so long has passed. */
  readonly fulfillmentRetryMs: number;
  /** The longest pause before Stripe is asked again about a refund that it refuses, or a payment that is in doubt. */
  readonly stripeRetryMaxMs: number;
  /** An order whose payment is in one of these doubts is not shipped until the doubt ends or an operator releases it. */
  readonly holdShipmentFor: readonly Doubt[];
};

export type Shortage = { readonly itemId: string; readonly wanted: number; readonly available: number };

/** Why an order was not made. It holds no stock and has no row. */
export type Refusal =
  | { readonly reason: 'outOfStock'; readonly shortages: readonly Shortage[] }
  | {
      readonly reason: 'unknownItem';
      readonly itemIds: readonly string[];
      /** Of these items, those that are there and not on sale; left out if there are none. */
      readonly offSaleIds?: readonly string[];
    }
  | { readonly reason: 'mixedCurrencies'; readonly currencies: readonly string[] }
  /** The customer, or the client's address, has too many unpaid orders, or too much of the stock in them. */
  | {
      readonly reason: 'tooManyOrders';
      readonly of: 'customer' | 'address';
      readonly limit: OpenLimit;
      /** What is open besides this order. */
      readonly open: { readonly orders: number; readonly pieces: number };
      readonly wantedPieces: number;
      /** The customer's open orders, the oldest first. */
      readonly orderIds: readonly string[];
    }
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

/** What became of an operator's wish to refund an order. */
export type RefundResult =
  /** Stripe has accepted the refund. */
  | { readonly outcome: 'refunded' }
  /** Stripe has not accepted it yet; the refund is written down, and goes on until it does. */
  | { readonly outcome: 'underWay' }
  /** The goods left before the refund, which was not made. It can be asked for again, now that this is known. */
  | { readonly outcome: 'shipped'; readonly trackingNumber: string }
  /** Stripe refunds nothing while the bank has not decided a dispute. */
  | { readonly outcome: 'disputed' }
  /** There is nothing to refund in this status. */
  | { readonly outcome: 'notRefundable'; readonly status: OrderStatus };

/** Starts `recoverOrder`, whose workflow id is the order id: an order never has two workflows. */
export type RecoverOrderInput = {
  readonly orderId: string;
  readonly policy: OrderPolicy;
} & Attempts;

/** How often Stripe was asked for a refund before, by runs whose history had grown long. */
type Attempts = { readonly refundAttempts?: number };
/** What a workflow that refunds has to know beside the order. */
type Refunding = Pick<OrderPolicy, 'stripeRetryMaxMs'> & Attempts;

export type RefundOrderInput = { readonly orderId: string; readonly request: RefundRequest } & Refunding;

/** The result of the update `cancel`: where the order ended, or where it is while its refund goes on. */
export type CancelResult = { readonly status: OrderStatus };

/** How the workflow of an order ended: the order's last status, or why there never was an order. */
export type OrderLifecycleResult =
  | { readonly status: OrderStatus }
  | { readonly status: 'REFUSED'; readonly create: CreateResult | null };

/** Starts `paymentAftercare`; more events of the same payment reach it as the signal `stripeEvent`. */
export type PaymentAftercareInput = { readonly orderId: string; readonly event: StripeEvent } & Refunding;

/** What Stripe did with a refund: accepted it, or had nothing left to refund. */
export type RefundPaymentResult = { readonly wayBack: WayBack };

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

/** An entry of an order's timeline, with what it changes on the order's row. PostgreSQL numbers the entries. */
export type TimelineEntry = {
  readonly orderId: string;
  /** What the entry comes from: one source writes one entry, however often it is asked to. */
  readonly source: string;
  readonly event: string;
  /** For people: what happened and why. */
  readonly detail: string;
  /** The change of status that the entry tells of. It is refused if the order is in another status than `from`. */
  readonly transition?: { readonly from: OrderStatus; readonly to: OrderStatus };
  /** The status without which an entry that changes none makes no sense; it is refused in another one. */
  readonly onlyIn?: OrderStatus;
  /** What programs read of the entry. */
  readonly data?: TimelineData;
  readonly changes?: OrderChanges;
};

/** What an entry changes on the order's row; what is left out stays. */
export type OrderChanges = {
  readonly checkoutSessionId?: string;
  readonly paymentLink?: string;
  readonly paymentIntentId?: string;
  readonly trackingNumber?: string;
  /** What the shop has of the order's payment, in minor units, and when that was so, in ms since 1970. The newest stays. */
  readonly kept?: { readonly amountMinor: number; readonly asOfMs: number };
};

export type TimelineData = {
  readonly refund?: RefundRequest;
  /** The operator who did it. */
  readonly by?: string;
};

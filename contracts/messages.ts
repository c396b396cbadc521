/**
 * What the API, the workflows and the workers agree on: the names of workflows, signals, updates and task queues, and
 * the shapes that travel between them. Everything here passes through Temporal's JSON converter, so there is no Date
 * and no bigint. No zod: this file is part of the workflow bundle.
 */
import type { OrderLine, RequestedLine } from '../domain/order-lines.ts';
import type { Charge, Doubt, WayBack } from '../domain/charge.ts';
import type { RefundRequest } from '../domain/order-message.ts';
import type { PartRefundRequest, PartRefusal } from '../domain/refund.ts';
import type { OrderStatus } from '../domain/order-status.ts';
import type { StripeEvent } from '../domain/stripe-event.ts';

/** Workflow types, as Temporal's Web UI shows them. */
export const ORDER_LIFECYCLE = 'orderLifecycle';
export const PAYMENT_AFTERCARE = 'paymentAftercare';
export const REFUND_ORDER = 'refundOrder';
export const REFUND_PART = 'refundPart';
export const RECOVER_ORDER = 'recoverOrder';
export const RECONCILE_BOOKS = 'reconcileBooks';

export const CREATE_UPDATE = 'create';
/** Constant, so that a repeated create gets the first one's answer. */
export const CREATE_UPDATE_ID = 'create';
export const CANCEL_UPDATE = 'cancel';
/** Constant, so that all cancels of an order are one. */
export const CANCEL_UPDATE_ID = 'cancel';
export const STRIPE_EVENT_SIGNAL = 'stripeEvent';
/** An operator refunds an order that is paid and not finished; once it has ended, `refundOrder` does it. */
export const REFUND_UPDATE = 'refund';
/** Constant, so that a repeated refund gets the first one's answer. */
export const REFUND_UPDATE_ID = 'refund';
/** An operator has a paid order shipped although its payment is in doubt. */
export const RELEASE_UPDATE = 'release';
/** The customer is back from Stripe. An update, since one that is refused leaves nothing in the history. */
export const CUSTOMER_RETURNED_UPDATE = 'customerReturned';

/** What a workflow has had written to our database; answered also after the workflow's end. */
export const JOURNAL_QUERY = 'journal';
/** The activities that write to our database. Doing one again with the same input is a no-op. */
export const journaledActivities = [
  'recordOrder',
  'recordTimelineEntry',
  'holdStock',
  'giveBackStock',
  'fulfillOrder',
  'callOffFulfillment',
  'openPart',
  'settlePart',
  'failPart',
] as const;
export type JournaledActivity = (typeof journaledActivities)[number];
/** One call that was done; its result is undefined if the activity returns nothing. */
export type JournalEntry = {
  readonly activity: JournaledActivity;
  readonly input: unknown;
  readonly result?: unknown;
};

export function isJournaled(activity: string): activity is JournaledActivity {
  return (journaledActivities as readonly string[]).includes(activity);
}

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

/** The id of the workflow that refunds a part of an order's payment. */
export function partWorkflowId(orderId: string, refundId: string): string {
  return `refund-${orderId}-${refundId}`;
}

/** The id of the schedule that starts `reconcileBooks`; one for each installation. */
export function reconciliationScheduleId(taskQueuePrefix: string): string {
  return `${taskQueuePrefix}reconciliation`;
}

/**
 * Starts `orderLifecycle`, whose workflow id is the order id. Everything that Stripe sees of the order is fixed here:
 * Stripe refuses an idempotency key that is reused with other parameters.
 */
export type OrderLifecycleInput = {
  readonly orderId: string;
  readonly customerId: string;
  readonly lines: readonly RequestedLine[];
  /** SHA-256 of customer and lines; it tells a repeated request from another one that reuses the key. */
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

/** How much may be unpaid at once; a missing value means no limit. */
export type OpenLimit = { readonly maxOrders?: number; readonly maxPieces?: number };

/** What keeps one client from holding the whole stock unpaid. */
export type OrderLimits = {
  readonly customer?: OpenLimit;
  /** Of the client's address, of which only a keyed hash is kept. */
  readonly address?: OpenLimit & { readonly hash: string };
};

/** The shop's settings for its orders, fixed for an order when it begins. */
export type OrderPolicy = {
  readonly paymentWindowMs: number;
  /** How long to wait before a fulfillment service that is down is tried again. */
  readonly fulfillmentRetryMs: number;
  /** The longest pause before Stripe is asked again about a refund that it refuses, or a payment that is in doubt. */
  readonly stripeRetryMaxMs: number;
  /**
   * An order whose payment is in one of these doubts is not shipped until the doubt ends or an operator releases it.
   */
  readonly holdShipmentFor: readonly Doubt[];
};

export type Shortage = { readonly itemId: string; readonly wanted: number; readonly available: number };

/** Why an order was not created. It holds no stock and has no row. */
export type Refusal =
  | { readonly reason: 'outOfStock'; readonly shortages: readonly Shortage[] }
  | {
      readonly reason: 'unknownItem';
      readonly itemIds: readonly string[];
      /** Those of these items that exist and are not on sale; missing if there are none. */
      readonly offSaleIds?: readonly string[];
    }
  | { readonly reason: 'mixedCurrencies'; readonly currencies: readonly string[] }
  /** The customer, or the client's address, has too many unpaid orders, or too much of the stock in them. */
  | {
      readonly reason: 'tooManyOrders';
      readonly of: 'customer' | 'address';
      readonly limit: OpenLimit;
      /** What is unpaid besides this order. */
      readonly open: { readonly orders: number; readonly pieces: number };
      readonly wantedPieces: number;
      /** The customer's open orders, the oldest first. */
      readonly orderIds: readonly string[];
    }
  /** Another run created this order, and Temporal has since forgotten it; the row has the answer. */
  | { readonly reason: 'orderExists' }
  /** The client is no longer waiting for the answer, and can't ask for it again. */
  | { readonly reason: 'tooLate' };

/** The result of the update `create`, the same for every repeat. */
export type CreateResult = {
  readonly requestHash: string;
  readonly traceId: string;
  /** Null if the order was created. */
  readonly refusal: Refusal | null;
};

/** What became of an operator's request to refund an order. */
export type RefundResult =
  /** Stripe has accepted the refund. */
  | { readonly outcome: 'refunded' }
  /** Stripe has not accepted it yet; the refund is recorded, and is retried until Stripe does. */
  | { readonly outcome: 'underWay' }
  /** The goods had already left, so nothing was refunded. The operator may ask again, knowing that. */
  | { readonly outcome: 'shipped'; readonly trackingNumber: string }
  /** Stripe refunds nothing until the bank has decided a dispute. */
  | { readonly outcome: 'disputed' }
  /** There is nothing to refund in this status. */
  | { readonly outcome: 'notRefundable'; readonly status: OrderStatus };

/** Starts `recoverOrder`, whose workflow id is the order id: an order never has two workflows. */
export type RecoverOrderInput = {
  readonly orderId: string;
  readonly policy: OrderPolicy;
} & Attempts;

/** How often earlier runs, whose history had grown long, have asked Stripe for the refund. */
type Attempts = { readonly refundAttempts?: number };
/** What a workflow that refunds needs besides the order. */
type Refunding = Pick<OrderPolicy, 'stripeRetryMaxMs'> & Attempts;

/** Starts `refundPart`; `refundId` is the id of the refund's row, the same each time that it is asked for. */
export type RefundPartInput = {
  readonly orderId: string;
  readonly refundId: string;
  readonly request: PartRefundRequest;
} & Refunding;

/** What became of an operator's wish to refund a part. */
export type RefundPartResult =
  /** Stripe has accepted it. */
  | { readonly outcome: 'refunded' }
  /** It was begun and cannot be done any more; the timeline says why. */
  | { readonly outcome: 'failed' }
  | { readonly outcome: 'refused'; readonly refusal: PartRefusal }
  /** The id stands for another refund. */
  | { readonly outcome: 'otherRequest' }
  /** Stripe refunds nothing while the bank has not decided a dispute. */
  | { readonly outcome: 'disputed' };

export type RefundOrderInput = { readonly orderId: string; readonly request: RefundRequest } & Refunding;

/** The result of the update `cancel`: the order's last status, or its current one while the refund is under way. */
export type CancelResult = { readonly status: OrderStatus };

/** The result of an order's workflow: the order's last status, or why there never was an order. */
export type OrderLifecycleResult =
  | { readonly status: OrderStatus }
  | { readonly status: 'REFUSED'; readonly create: CreateResult | null };

/** Starts `paymentAftercare`; later events of the same payment reach it as the signal `stripeEvent`. */
export type PaymentAftercareInput = { readonly orderId: string; readonly event: StripeEvent } & Refunding;

/** Starts `reconcileBooks`. */
export type ReconcileBooksInput = {
  /** Looks at what was made at Stripe since then, in ms since 1970, even if that was looked at before. */
  readonly lookFromMs?: number;
};

/** How `reconcileBooks` ended: how many payments differ from what the rows say. */
export type ReconcileBooksResult = { readonly differing: number };

/** What Stripe did with a refund: accepted it, or had nothing left to refund. */
export type RefundPaymentResult = {
  readonly wayBack: WayBack;
  /** The charge after it; left out by workers of before there were parts, and if it had been refunded before. */
  readonly charge?: Charge;
};

/** The result of holding stock: the order's lines with their price snapshot, or why there is no order. */
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
  /** What caused the entry. One source writes one entry, however often it is written. */
  readonly source: string;
  readonly event: string;
  /** For people: what happened and why. */
  readonly detail: string;
  /** The change of status that the entry records. It is refused if the order is not in the status `from`. */
  readonly transition?: { readonly from: OrderStatus; readonly to: OrderStatus };
  /** For an entry that changes no status: the only status in which it is accepted. */
  readonly onlyIn?: OrderStatus;
  /** The part of the entry that programs read. */
  readonly data?: TimelineData;
  readonly changes?: OrderChanges;
};

/** What an entry changes on the order's row; missing values stay as they are. */
export type OrderChanges = {
  readonly checkoutSessionId?: string;
  readonly paymentLink?: string;
  readonly paymentIntentId?: string;
  readonly trackingNumber?: string;
  /** What the shop has kept of the payment, in minor units, as of a time in ms since 1970. The latest wins. */
  readonly kept?: { readonly amountMinor: number; readonly asOfMs: number };
  /** A charge as Stripe says: the rows of its refunds follow it, and if it is the order's, what is kept of it. */
  readonly charge?: Charge;
  /** The refund of all that is left is not made after all. */
  readonly refundWithdrawn?: boolean;
};

export type TimelineData = {
  /** All that is left is to be refunded. */
  readonly refund?: RefundRequest;
  /** A part was refunded. */
  readonly part?: {
    readonly refundId: string;
    readonly amountMinor: number;
    readonly currency: string;
    /** The pieces that the amount is the price of; null if an amount was asked for. */
    readonly items: readonly RequestedLine[] | null;
    readonly restock: boolean;
  };
  /** The operator who did it. */
  readonly by?: string;
  /** How long the order waits for its payment from this entry on. */
  readonly paymentWindowMs?: number;
};

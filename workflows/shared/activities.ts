import { ActivityCancellationType, proxyActivities, proxyLocalActivities, workflowInfo } from '@temporalio/workflow';
import type { BooksActivities } from '../../activities/books.ts';
import type { FulfillmentActivities } from '../../activities/fulfillment.ts';
import type { OrderActivities } from '../../activities/orders.ts';
import type { PaymentActivities } from '../../activities/payment.ts';
import type { ReconciliationActivities } from '../../activities/reconciliation.ts';
import type { StockActivities } from '../../activities/stock.ts';
import { taskQueuesOfOrdersQueue } from '../../contracts/messages.ts';

/**
 * Short enough that recovery follows the fix within seconds: with default policies it took 64 s after an outage of 63
 * s.
 */
const RETRY = { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' } as const;

/** Longer than the 8 s after which PostgreSQL gives up on a statement. */
const DATABASE_TIMEOUT = '15s';
/** Closing a session, or reading a charge, may take several requests of 10 s. */
const STRIPE_TIMEOUT = '45s';
/** After this, what a worker was asking Stripe when it died is asked by another. */
const STRIPE_HEARTBEAT_TIMEOUT = '15s';
/** Longer than the 10 s after which the shop's own fulfillment is given up on. */
const FULFILLMENT_TIMEOUT = '15s';
/** Stripe keeps an idempotency key for 24 hours; creating stops well before. */
export const CREATE_PAYMENT_FOR_MS = 12 * 3_600_000;

export type Activities = ReturnType<typeof connectActivities>;

/** Returns the activities on the task queues of the installation that this workflow belongs to. */
export function connectActivities() {
  const queues = taskQueuesOfOrdersQueue(workflowInfo().taskQueue);
  const stock = { taskQueue: queues.stock, startToCloseTimeout: DATABASE_TIMEOUT, retry: RETRY } as const;
  const payment = {
    taskQueue: queues.payment,
    startToCloseTimeout: STRIPE_TIMEOUT,
    heartbeatTimeout: STRIPE_HEARTBEAT_TIMEOUT,
    retry: RETRY,
  } as const;
  const fulfillment = {
    taskQueue: queues.fulfillment,
    startToCloseTimeout: FULFILLMENT_TIMEOUT,
    retry: RETRY,
  } as const;
  return {
    stock: proxyActivities<StockActivities>(stock),
    /** Holds stock for an order without an idempotency key, for as long as its client may still wait. */
    stockFor: (forMs: number) =>
      proxyActivities<Pick<StockActivities, 'holdStock'>>({ ...stock, scheduleToCloseTimeout: Math.max(forMs, 1) }),
    /** Retries until Stripe answers. */
    payment: proxyActivities<PaymentActivities>(payment),
    /** Gives up after 12 h; if it is cancelled, it still reports whether the session was created. */
    paymentRequest: proxyActivities<Pick<PaymentActivities, 'createCheckoutSession'>>({
      ...payment,
      summary: 'Create the payment link',
      scheduleToCloseTimeout: CREATE_PAYMENT_FOR_MS,
      cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    }),
    /** Reads a session when nothing depends on the answer; gives up after a minute. */
    paymentCheck: proxyActivities<Pick<PaymentActivities, 'readCheckoutSession'>>({
      ...payment,
      summary: 'Ask Stripe whether it is paid',
      scheduleToCloseTimeout: '1m',
    }),
    /** Compares the rows with Stripe, a page at a time. */
    books: proxyActivities<Pick<BooksActivities, 'lookAtBooks'>>(payment),
    /** Writes down how far that is. */
    reconciliation: proxyActivities<ReconciliationActivities>({
      taskQueue: queues.orders,
      startToCloseTimeout: DATABASE_TIMEOUT,
      retry: RETRY,
    }),
    /**
     * Ships the order: tries every few seconds for `forMs`. If it is cancelled, it still reports whether the order
     * left.
     */
    fulfillmentFor: (forMs: number) =>
      proxyActivities<Pick<FulfillmentActivities, 'fulfillOrder'>>({
        ...fulfillment,
        summary: 'Ship the order',
        scheduleToCloseTimeout: Math.max(forMs, 1),
        cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
      }),
    fulfillment: proxyActivities<Pick<FulfillmentActivities, 'callOffFulfillment'>>({
      ...fulfillment,
      summary: 'Call the shipment off',
    }),
    /** Writes rows within the workflow task: no event but a marker, no round trip. */
    localOrders: proxyLocalActivities<OrderActivities>({
      startToCloseTimeout: '5s',
      scheduleToCloseTimeout: '5s',
      retry: { ...RETRY, maximumInterval: '1s', maximumAttempts: 3 },
    }),
    /** The same functions, for when PostgreSQL is down for longer than a workflow task may take. */
    orders: proxyActivities<OrderActivities>({
      taskQueue: queues.orders,
      startToCloseTimeout: DATABASE_TIMEOUT,
      retry: RETRY,
    }),
  };
}

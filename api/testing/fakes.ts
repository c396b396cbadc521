import type { CreateResult, OrderLifecycleInput } from '../../contracts/messages.ts';
import type { FeedEvent } from '../../database/events.ts';
import type { OrderPage } from '../../database/order-pages.ts';
import type { OrderRecord } from '../../database/orders.ts';
import type { Reconciliation } from '../../database/reconciliations.ts';
import type { CancelRequest, RefundRequest, ReleaseRequest } from '../../domain/order-message.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import type { Dependencies } from '../dependencies.ts';
import { ApiError } from '../errors.ts';
import type { DeskReads } from '../pages/operator/reads.ts';
import type { CancelOutcome, RefundOutcome, ReleaseOutcome } from '../order-workflow-client.ts';

const AT = new Date('2026-01-02T10:00:00.000Z');

/** An order as the contract's example makes it, with what a test says otherwise. */
export function orderRecord(changes: Partial<OrderRecord> = {}): OrderRecord {
  const status = changes.status ?? 'PENDING';
  return {
    orderId: '68ce52f4cdbf4a483de63446',
    customerId: 'customer-1',
    status,
    seq: 1,
    totalAmountMinor: 4500,
    currency: 'USD',
    requestHash: 'hash',
    traceId: '654f54b90d7ed003c4d05fad87e5a925',
    runId: 'run',
    paymentLink: null,
    checkoutSessionId: null,
    paymentIntentId: null,
    trackingNumber: null,
    createdAt: AT,
    updatedAt: AT,
    lines: [
      { itemId: 'prod_SNjRcpjxpiazxk', name: 'Pencil', quantity: 20, unitAmountMinor: 100 },
      { itemId: 'prod_SNjQpQjNC8QuaD', name: 'Book', quantity: 5, unitAmountMinor: 500 },
    ],
    keptAmountMinor: 0,
    refunds: [],
    timeline: [timelineEntry({ status, event: 'order.created', detail: 'The order was made.' })],
    ...changes,
  };
}

/** An entry of a timeline, the first one if nothing else is said. */
export function timelineEntry(changes: Partial<OrderRecord['timeline'][number]>): OrderRecord['timeline'][number] {
  const { seq = 1, event = 'order.created' } = changes;
  return { seq, at: AT, status: 'PENDING', event, detail: '', source: `${event}:${seq}`, data: {}, ...changes };
}

export type FakeAnswers = {
  /** The last comparison with Stripe. */
  readonly reconciliation?: Reconciliation;
  readonly orders?: readonly OrderRecord[];
  /** What every list of orders answers. */
  readonly page?: OrderPage;
  readonly events?: readonly FeedEvent[];
  readonly catalogue?: Dependencies['catalogue'];
  readonly create?: (input: OrderLifecycleInput) => Promise<CreateResult>;
  readonly cancel?: (orderId: string) => Promise<CancelOutcome>;
  readonly refund?: (order: Pick<OrderRecord, 'orderId' | 'status'>) => Promise<RefundOutcome>;
  readonly refundPart?: Dependencies['orderWorkflow']['refundPart'];
  readonly release?: (orderId: string) => Promise<ReleaseOutcome>;
  readonly customerReturned?: () => Promise<void>;
};

/** A catalogue without items, which takes none. */
export function emptyCatalogue(): Dependencies['catalogue'] {
  const nothing = async (itemId: unknown) => {
    throw new ApiError('noSuchItem', `There is no item ${String(itemId)}`);
  };
  return {
    listItems: async () => [],
    listItemsOnSale: async () => [],
    addItem: async ({ itemId }) => {
      throw new ApiError('itemExists', `There is an item ${itemId} already`);
    },
    changeItem: nothing,
    changeStock: nothing,
  };
}

/** The parts of the orders API without a server behind them; `created`, `asked` and so on hold what was asked for. */
export function fakeDependencies(answers: FakeAnswers = {}) {
  const orders = new Map((answers.orders ?? []).map((order) => [order.orderId, order]));
  const created: OrderLifecycleInput[] = [];
  const cancelled: string[] = [];
  const returned: string[] = [];
  /** The lists of orders that were read: the filters with a value, and the page. */
  const listed: unknown[] = [];
  /** What the workflows were asked for, in order. */
  const asked: unknown[] = [];
  const dependencies: Dependencies = {
    publicUrl: 'http://shop.example:8101',
    policy: { paymentWindowMs: 60_000, fulfillmentRetryMs: 60_000, stripeRetryMaxMs: 60_000, holdShipmentFor: [] },
    findOrder: async (orderId) => orders.get(orderId),
    listOrders: async (filter, page) => {
      const given = Object.entries({ ...filter, ...page }).filter(([, value]) => value !== undefined);
      listed.push(Object.fromEntries(given));
      return answers.page ?? { orders: [], next: undefined };
    },
    listEvents: async (place) => {
      listed.push(place);
      return [...(answers.events ?? [])];
    },
    catalogue: answers.catalogue ?? emptyCatalogue(),
    orderWorkflow: {
      create: async (input) => {
        created.push(input);
        return answers.create?.(input) ?? { requestHash: input.requestHash, traceId: '7'.repeat(32), refusal: null };
      },
      cancel: async (orderId: string, request: CancelRequest) => {
        cancelled.push(orderId);
        asked.push({ cancel: orderId, ...request });
        return answers.cancel?.(orderId) ?? { outcome: 'closed' };
      },
      refund: async (order: Pick<OrderRecord, 'orderId' | 'status'>, request: RefundRequest) => {
        asked.push({ refund: order.orderId, status: order.status, ...request });
        return answers.refund?.(order) ?? { outcome: 'closed' };
      },
      refundPart: async (orderId, refundId, request) => {
        asked.push({ refundPart: orderId, refundId, ...request });
        return answers.refundPart?.(orderId, refundId, request) ?? { outcome: 'underWay' };
      },
      release: async (orderId: string, request: ReleaseRequest) => {
        asked.push({ release: orderId, ...request });
        return answers.release?.(orderId) ?? { outcome: 'closed' };
      },
      customerReturned: async (orderId) => {
        returned.push(orderId);
        await answers.customerReturned?.();
      },
    },
    metrics: createMetrics(),
    logger: createLogger({ production: true, logLevel: 'silent' }, 'test'),
  };
  const deskReads: DeskReads = {
    listMatters: async () => [],
    listMattersOf: async () => [],
    listSlowOrders: async () => [],
    countOpenOrders: async () => [],
    countOrdersSince: async () => [],
    findLastReconciliation: async () => answers.reconciliation,
    findOrderIdByAnything: async () => undefined,
    findItem: async () => undefined,
    listItemChanges: async () => [],
    workflowState: async () => ({ found: false }),
    linksElsewhere: () => ({ temporal: 'http://temporal.test', zipkin: 'http://zipkin.test', stripe: null }),
  };
  return { dependencies, deskReads, orders, created, cancelled, returned, listed, asked };
}

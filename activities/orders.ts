import type { RefundRequest } from '../domain/order-message.ts';
import { type TimelineEntry } from '../contracts/messages.ts';
import type { Database } from '../database/database.ts';
import * as orders from '../database/orders.ts';
import * as refunds from '../database/refunds.ts';
import type { OrderLine } from '../domain/order-lines.ts';
import { annotateSpan } from '../platform/spans.ts';

export type OrderActivities = ReturnType<typeof createOrderActivities>;

/** What a workflow needs to know of an order that it did not create itself. */
export type StoredOrder = Pick<
  orders.OrderRecord,
  | 'orderId'
  | 'status'
  | 'requestHash'
  | 'traceId'
  | 'runId'
  | 'checkoutSessionId'
  | 'paymentIntentId'
  | 'trackingNumber'
  | 'keptAmountMinor'
> & {
  readonly lines: readonly OrderLine[];
  /** The sources of its timeline's entries. */
  readonly sources: readonly string[];
  /** The refund that was decided on in the order's current status. */
  readonly requestedRefund: RefundRequest | null;
};

/** The activities of the task queue `orders`, which write and read the order's own rows. */
export function createOrderActivities({ database }: { readonly database: Database }) {
  return {
    async recordOrder(order: orders.NewOrder): Promise<void> {
      annotateSpan({ 'order.id': order.orderId, 'order.status': 'PENDING' });
      await orders.insertOrder(database, order);
    },

    /** Writes an entry of the order's timeline, and what it changes on the row. Idempotent. */
    async recordTimelineEntry(entry: TimelineEntry): Promise<void> {
      const { orderId, event, transition } = entry;
      annotateSpan({ 'order.id': orderId, 'order.event': event, ...(transition && { 'order.status': transition.to }) });
      await orders.appendTimelineEntry(database, entry);
    },

    /** Writes down that a part of the payment is to be refunded, if so much is left; asked again it is the same refund. */
    async openPart(part: refunds.PartToOpen): Promise<refunds.OpenedPart> {
      return refunds.openPart(database, part);
    },

    /** Writes down what became of a part at Stripe. */
    async settlePart(part: Pick<refunds.PartToOpen, 'orderId' | 'refundId' | 'charge'>): Promise<refunds.SettledPart> {
      return refunds.settlePart(database, part);
    },

    /** Writes down that a part cannot be refunded any more. */
    async failPart(part: refunds.PartToFail): Promise<void> {
      await refunds.failPart(database, part);
    },

    /** Reads an order; null if there is none. */
    async readOrder(orderId: string): Promise<StoredOrder | null> {
      const order = await orders.findOrder(database, orderId);
      if (order === undefined) return null;
      const requested = order.timeline.findLast(
        (entry) => entry.data.refund !== undefined && entry.status === order.status,
      );
      return {
        orderId: order.orderId,
        keptAmountMinor: order.keptAmountMinor,
        status: order.status,
        requestHash: order.requestHash,
        traceId: order.traceId,
        runId: order.runId,
        checkoutSessionId: order.checkoutSessionId,
        paymentIntentId: order.paymentIntentId,
        trackingNumber: order.trackingNumber,
        lines: order.lines.map((line) => ({ ...line, currency: order.currency })),
        sources: order.timeline.map(({ source }) => source),
        requestedRefund: requested?.data.refund ?? null,
      };
    },
  };
}

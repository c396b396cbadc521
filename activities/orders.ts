import type { TimelineEntry } from '../contracts/messages.ts';
import type { Database } from '../database/database.ts';
import * as orders from '../database/orders.ts';
import type { OrderLine } from '../domain/order-lines.ts';
import { annotateSpan } from '../platform/spans.ts';

export type OrderActivities = ReturnType<typeof createOrderActivities>;

/** The activities of the task queue `orders`, which write and read the order's own rows. */
export function createOrderActivities({ database }: { readonly database: Database }) {
  return {
    async recordOrder(order: orders.NewOrder): Promise<void> {
      annotateSpan({ 'order.id': order.orderId, 'order.status': 'PENDING' });
      await orders.insertOrder(database, order);
    },

    async recordTimelineEntry(entry: TimelineEntry): Promise<void> {
      annotateSpan({ 'order.id': entry.orderId, 'order.status': entry.status, 'order.event': entry.event });
      await orders.appendTimelineEntry(database, entry);
    },

    /** @returns whether the entry stands; false where the order is not in the status that it starts from */
    async recordEntryAfterTheEnd(entry: orders.EntryAfterTheEnd): Promise<boolean> {
      annotateSpan({ 'order.id': entry.orderId, 'order.event': entry.event });
      return orders.appendEntryAfterTheEnd(database, entry);
    },

    /** Reads what the workflows after an order's end need; null where there is no such order. */
    async readEndedOrder(orderId: string): Promise<EndedOrder | null> {
      const order = await orders.findOrder(database, orderId);
      if (order === undefined) return null;
      const { status, runId, paymentIntentId } = order;
      return { status, runId, paymentIntentId };
    },

    /** Reads all that is known of an order whose workflow is gone; null where there is no such order. */
    async readLostOrder(orderId: string): Promise<LostOrder | null> {
      const order = await orders.findOrder(database, orderId);
      if (order === undefined) return null;
      const { customerId, status, seq, requestHash, traceId, runId, checkoutSessionId, paymentIntentId } = order;
      const lines = order.lines.map((line) => ({ ...line, currency: order.currency }));
      return { customerId, status, seq, requestHash, traceId, runId, checkoutSessionId, paymentIntentId, lines };
    },
  };
}

export type EndedOrder = Pick<orders.OrderRecord, 'status' | 'runId' | 'paymentIntentId'>;

export type LostOrder = Pick<
  orders.OrderRecord,
  'customerId' | 'status' | 'seq' | 'requestHash' | 'traceId' | 'runId' | 'checkoutSessionId' | 'paymentIntentId'
> & { readonly lines: readonly OrderLine[] };

import type { TimelineEntry } from '../contracts/messages.ts';
import type { Database } from '../database/database.ts';
import * as orders from '../database/orders.ts';

export type OrderActivities = ReturnType<typeof createOrderActivities>;

/** The activities of the task queue `orders`, which write and read the order's own rows. */
export function createOrderActivities({ database }: { readonly database: Database }) {
  return {
    async recordOrder(order: orders.NewOrder): Promise<void> {
      await orders.insertOrder(database, order);
    },

    async recordTimelineEntry(entry: TimelineEntry): Promise<void> {
      await orders.appendTimelineEntry(database, entry);
    },

    /** @returns whether the entry stands; false where the order is not in the status that it starts from */
    async recordEntryAfterTheEnd(entry: orders.EntryAfterTheEnd): Promise<boolean> {
      return orders.appendEntryAfterTheEnd(database, entry);
    },

    /** Reads what the workflows after an order's end need; null where there is no such order. */
    async readEndedOrder(orderId: string): Promise<EndedOrder | null> {
      const order = await orders.findOrder(database, orderId);
      if (order === undefined) return null;
      const { status, runId, paymentIntentId, totalAmountMinor, currency } = order;
      return { status, runId, paymentIntentId, totalAmountMinor, currency };
    },
  };
}

export type EndedOrder = Pick<
  orders.OrderRecord,
  'status' | 'runId' | 'paymentIntentId' | 'totalAmountMinor' | 'currency'
>;

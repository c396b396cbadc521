import { z } from 'zod';
import { orderStatuses, type OrderStatus } from '../domain/order-status.ts';
import type { Database } from './database.ts';

const openOrders = z.array(z.object({ status: z.enum(orderStatuses), count: z.number(), oldestSeconds: z.number() }));

export type OpenOrders = {
  readonly status: OrderStatus;
  readonly count: number;
  /** How long the longest unchanged one has waited, in seconds. */
  readonly oldestSeconds: number;
};

/** Counts the orders that have not ended, by status; a status without orders counts 0. */
export async function countOpenOrders(database: Database): Promise<readonly OpenOrders[]> {
  const counted = await database.query({
    name: 'orders.count-open',
    text: `
      SELECT
        status,
        count(order_id)::integer AS "count",
        COALESCE(EXTRACT(epoch FROM clock_timestamp() - min(updated_at)), 0)::float8 AS "oldestSeconds"
      FROM unnest(ARRAY['PENDING', 'WAITING_FOR_PAYMENT', 'PAID']) AS open (status)
      LEFT JOIN orders USING (status)
      GROUP BY status`,
  });
  return openOrders.parse(counted.rows);
}

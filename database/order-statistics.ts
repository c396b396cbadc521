import { z } from 'zod';
import { type OpenStatus, orderStatuses, type OrderStatus } from '../domain/order-status.ts';
import type { Database } from './database.ts';

const OPEN: readonly OpenStatus[] = ['PENDING', 'WAITING_FOR_PAYMENT', 'PAID'];

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
    // The statuses stand in the text, so that PostgreSQL knows how few the open orders are, and reads no others.
    text: `
      SELECT
        status,
        count(*)::integer AS "count",
        EXTRACT(epoch FROM clock_timestamp() - min(updated_at))::float8 AS "oldestSeconds"
      FROM orders
      WHERE status IN ('PENDING', 'WAITING_FOR_PAYMENT', 'PAID')
      GROUP BY status`,
  });
  const found = new Map(openOrders.parse(counted.rows).map((each) => [each.status, each]));
  return OPEN.map((status) => found.get(status) ?? { status, count: 0, oldestSeconds: 0 });
}

import { z } from 'zod';
import { REFUND_REQUESTED_AFTER_THE_END } from '../domain/order-message.ts';
import { orderStatuses } from '../domain/order-status.ts';
import type { Database } from './database.ts';
import { LISTED_COLUMNS, type ListedOrder, listedOrder } from './order-pages.ts';

/** Lists the orders that have not ended, the longest unchanged first. */
export async function listOpenOrders(database: Database): Promise<ListedOrder[]> {
  const listed = await database.query({
    name: 'orders.list-open',
    text: `
      SELECT ${LISTED_COLUMNS} FROM orders
      WHERE status IN ('PENDING', 'WAITING_FOR_PAYMENT', 'PAID')
      ORDER BY updated_at, order_id`,
  });
  return listedOrder.array().parse(listed.rows);
}

const refundToFinish = z.object({
  orderId: z.string(),
  refund: z.object({ restock: z.boolean(), reason: z.string() }),
});

/** A refund of a finished order that was decided on and has not been completed. */
export type RefundToFinish = z.infer<typeof refundToFinish>;

/** Lists the finished orders whose refund was decided on, the earliest decision first. */
export async function listRefundsToFinish(database: Database): Promise<RefundToFinish[]> {
  const listed = await database.query({
    name: 'orders.list-refunds-to-finish',
    text: `
      SELECT o.order_id AS "orderId", t.data->'refund' AS refund
      FROM order_timeline t JOIN orders o USING (order_id)
      WHERE t.source = $1 AND o.status = 'FINISHED'
      ORDER BY t.at, o.order_id`,
    values: [REFUND_REQUESTED_AFTER_THE_END],
  });
  return refundToFinish.array().parse(listed.rows);
}

/** Lists the orders that have these ids. */
export async function listOrdersById(database: Database, orderIds: readonly string[]): Promise<ListedOrder[]> {
  const listed = await database.query({
    name: 'orders.list-by-id',
    text: `SELECT ${LISTED_COLUMNS} FROM orders WHERE order_id = ANY($1::text[])`,
    values: [orderIds],
  });
  return listedOrder.array().parse(listed.rows);
}

const heldStock = z.object({
  orderId: z.string(),
  runId: z.string(),
  /** Null if no order was written for it. */
  status: z.enum(orderStatuses).nullable(),
  pieces: z.number(),
  heldSince: z.date(),
});

/** Stock that is held for an order id. */
export type HeldStock = z.infer<typeof heldStock>;

/** Lists stock that is held for no order, or for one that ended without its goods leaving. */
export async function listStrayStock(database: Database): Promise<HeldStock[]> {
  const listed = await database.query({
    name: 'reservations.list-stray',
    text: `
      SELECT
        r.order_id AS "orderId", r.run_id AS "runId", o.status, r.created_at AS "heldSince",
        (SELECT COALESCE(sum(l.quantity - l.given_back), 0)::bigint FROM reservation_lines l WHERE l.order_id = r.order_id) AS pieces
      FROM reservations r LEFT JOIN orders o USING (order_id)
      WHERE r.state = 'held' AND (o.status IS NULL OR o.status IN ('CANCELLED', 'EXPIRED'))
      ORDER BY r.created_at, r.order_id`,
  });
  return heldStock.array().parse(listed.rows);
}

/** Lists orders that need their stock and hold none: the same goods could be sold again. */
export async function listOrdersWithoutStock(database: Database): Promise<string[]> {
  const listed = await database.query<{ order_id: string }>({
    name: 'orders.list-without-stock',
    text: `
      SELECT o.order_id
      FROM orders o LEFT JOIN reservations r ON r.order_id = o.order_id AND r.state = 'held'
      WHERE o.status IN ('PENDING', 'WAITING_FOR_PAYMENT', 'PAID', 'FINISHED') AND r.order_id IS NULL
      ORDER BY o.order_id`,
  });
  return listed.rows.map((row) => row.order_id);
}

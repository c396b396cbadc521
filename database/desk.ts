/** What the operators' desk reads besides orders and items. */
import { z } from 'zod';
import { type OpenStatus, orderStatuses } from '../domain/order-status.ts';
import type { Database } from './database.ts';
import { type ListedOrder, LISTED_COLUMNS, listedOrder } from './order-pages.ts';

/** The entries of a timeline that a person may have to act on. */
const matters = [
  'refund.failed',
  'payment.disputed',
  'fulfillment.held',
  'refund.delayed',
  'fulfillment.delayed',
  'payment.in_review',
  'payment.fraud_warning',
] as const;

const matterRow = z.object({
  orderId: z.string(),
  customerId: z.string(),
  status: z.enum(orderStatuses),
  event: z.enum(matters),
  detail: z.string(),
  at: z.date(),
});

/** Something about an order that a person may have to act on. */
export type Matter = z.infer<typeof matterRow>;

/**
 * Lists what a person may have to act on, the oldest first: disputes and reviews that have not ended, shipments that are
 * held or delayed, refunds that Stripe refuses. What no later entry settles, a refund that did not arrive and a fraud
 * warning about goods that have left, is listed for 30 days.
 *
 * @param limit entries at most
 * @param orderId only those of this order
 */
export async function listMatters(database: Database, limit: number, orderId?: string): Promise<Matter[]> {
  const listed = await database.query({
    name: orderId === undefined ? 'desk.list-matters' : 'desk.list-matters-of-order',
    text: `
      SELECT o.order_id AS "orderId", o.customer_id AS "customerId", o.status, t.event, t.detail, t.at
      FROM order_timeline t JOIN orders o USING (order_id)
      WHERE t.event IN (${matters.map((event) => `'${event}'`).join(', ')})
        ${orderId === undefined ? '' : 'AND t.order_id = $2'}
        AND CASE t.event
          WHEN 'payment.disputed' THEN NOT EXISTS (
            SELECT FROM order_timeline c WHERE c.order_id = t.order_id AND c.source = t.source || ':closed')
          WHEN 'payment.in_review' THEN o.kept_amount_minor > 0 AND NOT EXISTS (
            SELECT FROM order_timeline c WHERE c.order_id = t.order_id AND c.source = t.source || ':closed')
          WHEN 'fulfillment.held' THEN o.status = 'PAID' AND NOT EXISTS (
            SELECT FROM order_timeline c
            WHERE c.order_id = t.order_id AND c.seq > t.seq AND c.event IN ('fulfillment.held', 'fulfillment.released'))
          WHEN 'fulfillment.delayed' THEN o.status = 'PAID'
          WHEN 'refund.delayed' THEN NOT EXISTS (
            SELECT FROM order_timeline c
            WHERE c.order_id = t.order_id AND c.seq > t.seq
              AND c.event IN ('order.refunded', 'order.cancelled', 'payment.returned', 'payment.refunded'))
          WHEN 'refund.failed' THEN t.at > clock_timestamp() - interval '30 days'
          ELSE o.status = 'FINISHED' AND o.kept_amount_minor > 0 AND t.at > clock_timestamp() - interval '30 days'
        END
      ORDER BY t.at, t.order_id, t.seq
      LIMIT $1`,
    values: orderId === undefined ? [limit] : [limit, orderId],
  });
  return matterRow.array().parse(listed.rows);
}

/**
 * Lists open orders that have waited for longer than they should, the oldest first.
 *
 * @param patienceMs how long nothing may have happened to an order
 */
export async function listSlowOrders(
  database: Database,
  patienceMs: Readonly<Record<OpenStatus, number>>,
  limit: number,
): Promise<ListedOrder[]> {
  const { PENDING, WAITING_FOR_PAYMENT, PAID } = patienceMs;
  const listed = await database.query({
    name: 'desk.list-slow-orders',
    text: `
      SELECT ${LISTED_COLUMNS} FROM orders
      WHERE status IN ('PENDING', 'WAITING_FOR_PAYMENT', 'PAID')
        AND updated_at < clock_timestamp() - interval '1 ms' * CASE status
          WHEN 'PENDING' THEN $1::float8 WHEN 'WAITING_FOR_PAYMENT' THEN $2::float8 ELSE $3::float8 END
      ORDER BY updated_at, order_id
      LIMIT $4`,
    values: [PENDING, WAITING_FOR_PAYMENT, PAID, limit],
  });
  return listedOrder.array().parse(listed.rows);
}

const statusTotal = z.object({
  status: z.enum(orderStatuses),
  currency: z.string(),
  count: z.number(),
  totalAmountMinor: z.number(),
});

export type StatusTotal = z.infer<typeof statusTotal>;

/** Counts the orders that were made since a moment, by status and currency, with what they come to. */
export async function countOrdersSince(database: Database, since: Date): Promise<StatusTotal[]> {
  const counted = await database.query({
    name: 'desk.count-orders-since',
    text: `
      SELECT status, currency, count(*) AS count, sum(total_amount_minor)::bigint AS "totalAmountMinor"
      FROM orders
      WHERE created_at >= $1
      GROUP BY status, currency`,
    values: [since],
  });
  return statusTotal.array().parse(counted.rows);
}

/** Finds the order with this id of its own, of Stripe's, of its shipment or of its trace; undefined if there is none, or more than one. */
export async function findOrderIdByAnything(database: Database, text: string): Promise<string | undefined> {
  const found = await database.query<{ order_id: string }>({
    name: 'desk.find-by-anything',
    text: `
      SELECT order_id FROM orders WHERE order_id = $1
      UNION SELECT order_id FROM orders WHERE payment_intent_id = $1
      UNION SELECT order_id FROM orders WHERE checkout_session_id = $1
      UNION SELECT order_id FROM orders WHERE tracking_number = $1
      UNION SELECT order_id FROM orders WHERE trace_id = $1
      LIMIT 2`,
    values: [text],
  });
  return found.rows.length === 1 ? found.rows[0]?.order_id : undefined;
}

import { z } from 'zod';
import { orderStatuses, type OrderStatus } from '../domain/order-status.ts';
import { withSqlSpan } from '../platform/spans.ts';
import type { Database } from './database.ts';

export const listedOrder = z.object({
  orderId: z.string(),
  customerId: z.string(),
  status: z.enum(orderStatuses),
  totalAmountMinor: z.number(),
  currency: z.string(),
  runId: z.string(),
  traceId: z.string(),
  createdAt: z.date(),
  updatedAt: z.date(),
});
const positionRow = z.object({ orderId: z.string(), position: z.string() });

/** An order in a list, without its lines and timeline. */
export type ListedOrder = z.infer<typeof listedOrder>;

export const LISTED_COLUMNS = `
  order_id AS "orderId", customer_id AS "customerId", status, total_amount_minor AS "totalAmountMinor", currency,
  run_id AS "runId", trace_id AS "traceId", created_at AS "createdAt", updated_at AS "updatedAt"`;

/** A missing field does not filter. */
export type OrderFilter = {
  readonly orderId?: string | undefined;
  readonly customerId?: string | undefined;
  readonly status?: OrderStatus | undefined;
  readonly paymentIntentId?: string | undefined;
  readonly checkoutSessionId?: string | undefined;
  readonly trackingNumber?: string | undefined;
  /** Orders that were created at this time or later. */
  readonly createdFrom?: Date | undefined;
  /** Orders that were created before this time. */
  readonly createdTo?: Date | undefined;
};

/** The start of a page: after this order, whose `createdAt` has PostgreSQL's microseconds. */
export type OrderPosition = { readonly createdAt: string; readonly orderId: string };

export type OrderPage = {
  readonly orders: readonly ListedOrder[];
  /** The start of the next page; undefined if this is the last one. */
  readonly next: OrderPosition | undefined;
};

type Page = { readonly limit: number; readonly after?: OrderPosition | undefined };

/**
 * Lists orders, the newest first, page by page. The order is total and never changes, so an order that existed when the
 * first page was read is on exactly one page, whatever is added meanwhile.
 *
 * @param page at most `limit` orders, starting after the last one of the previous page
 */
export async function listOrders(database: Database, filter: OrderFilter, page: Page): Promise<OrderPage> {
  const listed = await withSqlSpan('orders.list', async () => database.query(orderPageStatement(filter, page)));
  const orders = listedOrder.array().parse(listed.rows.slice(0, page.limit));
  if (listed.rows.length <= page.limit) return { orders, next: undefined };
  const { orderId, position } = positionRow.parse(listed.rows[page.limit - 1]);
  return { orders, next: { createdAt: position, orderId } };
}

/** The comparisons of the statement; each has one parameter. */
const CONDITIONS = {
  orderId: 'order_id = ?',
  customerId: 'customer_id = ?',
  status: 'status = ?',
  paymentIntentId: 'payment_intent_id = ?',
  checkoutSessionId: 'checkout_session_id = ?',
  trackingNumber: 'tracking_number = ?',
  createdFrom: 'created_at >= ?',
  createdTo: 'created_at < ?',
} as const satisfies Record<keyof OrderFilter, string>;

/**
 * Returns the statement of a page. It has only the conditions of the filter, and is planned with their values each
 * time: a prepared statement with `$1 IS NULL OR …` would have one plan for all filters, and read every order to find
 * the few of a rare status.
 */
export function orderPageStatement(filter: OrderFilter, { limit, after }: Page) {
  const values: unknown[] = [];
  const parameter = (value: unknown): string => `$${values.push(value)}`;
  const conditions = (Object.keys(CONDITIONS) as (keyof OrderFilter)[])
    .filter((key) => filter[key] !== undefined)
    .map((key) => CONDITIONS[key].replace('?', parameter(filter[key])));
  if (after !== undefined) {
    conditions.push(
      `(created_at, order_id) < (${parameter(after.createdAt)}::timestamptz, ${parameter(after.orderId)})`,
    );
  }
  return {
    text: `
      SELECT ${LISTED_COLUMNS},
        to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS position
      FROM orders
      ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`}
      ORDER BY created_at DESC, order_id DESC
      LIMIT ${parameter(limit + 1)}`,
    values,
  };
}

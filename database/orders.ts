import { z } from 'zod';
import type { TimelineEntry } from '../contracts/messages.ts';
import { totalOf } from '../domain/money.ts';
import type { OrderLine } from '../domain/order-lines.ts';
import { orderStatuses } from '../domain/order-status.ts';
import { type Database, inTransaction } from './database.ts';
import { concernsRefunds, followEntry, lockOrder, REFUNDS_OF_ORDER, refundRecord } from './refunds.ts';
import { appendEntry, TimelineConflictError } from './timeline.ts';

const orderRecord = z.object({
  orderId: z.string(),
  customerId: z.string(),
  status: z.enum(orderStatuses),
  seq: z.number(),
  totalAmountMinor: z.number(),
  currency: z.string(),
  requestHash: z.string(),
  traceId: z.string(),
  runId: z.string(),
  paymentLink: z.string().nullable(),
  checkoutSessionId: z.string().nullable(),
  paymentIntentId: z.string().nullable(),
  trackingNumber: z.string().nullable(),
  keptAmountMinor: z.number(),
  createdAt: z.date(),
  updatedAt: z.date(),
  lines: z.array(z.object({ itemId: z.string(), name: z.string(), quantity: z.number(), unitAmountMinor: z.number() })),
  timeline: z.array(
    z.object({
      seq: z.number(),
      at: z.coerce.date(),
      status: z.enum(orderStatuses),
      event: z.string(),
      detail: z.string(),
      source: z.string(),
      data: z.looseObject({
        refund: z.object({ restock: z.boolean(), reason: z.string(), operator: z.string().optional() }).optional(),
        by: z.string().optional(),
        paymentWindowMs: z.number().optional(),
      }),
    }),
  ),
  refunds: z.array(refundRecord),
});

/** An order as it stands in the database, with its lines and its timeline, oldest entry first. */
export type OrderRecord = z.infer<typeof orderRecord>;

export type NewOrder = {
  readonly orderId: string;
  readonly customerId: string;
  readonly runId: string;
  readonly requestHash: string;
  readonly traceId: string;
  readonly lines: readonly OrderLine[];
  /** For people: what the first entry of the timeline says. */
  readonly detail: string;
};

/**
 * Writes a PENDING order with its lines and the first entry of its timeline. Writing it again from the same
 * run is a no-op.
 *
 * @throws TimelineConflictError if another run has created an order with this id
 */
export async function insertOrder(database: Database, order: NewOrder): Promise<void> {
  const total = totalOf(order.lines);
  const inserted = await database.query({
    name: 'orders.insert',
    text: `
      WITH new_order AS (
        INSERT INTO orders
          (order_id, customer_id, status, seq, total_amount_minor, currency, request_hash, trace_id, run_id)
        VALUES ($1, $2, 'PENDING', 1, $3, $4, $5, $6, $7)
        ON CONFLICT (order_id) DO NOTHING
        RETURNING order_id
      ), new_lines AS (
        INSERT INTO order_lines (order_id, line_number, item_id, name, quantity, unit_amount_minor)
        SELECT order_id, line_number, item_id, name, quantity, unit_amount_minor
        FROM new_order, unnest($8::text[], $9::text[], $10::integer[], $11::bigint[])
          WITH ORDINALITY AS line (item_id, name, quantity, unit_amount_minor, line_number)
      )
      INSERT INTO order_timeline (order_id, seq, status, event, detail, source)
      SELECT order_id, 1, 'PENDING', 'order.created', $12, 'order.created' FROM new_order`,
    values: [
      order.orderId,
      order.customerId,
      total.amountMinor,
      total.currency,
      order.requestHash,
      order.traceId,
      order.runId,
      order.lines.map((line) => line.itemId),
      order.lines.map((line) => line.name),
      order.lines.map((line) => line.quantity),
      order.lines.map((line) => line.unitAmountMinor),
      order.detail,
    ],
  });
  if (inserted.rowCount === 1) return;
  const existing = await database.query<{ run_id: string }>({
    name: 'orders.run',
    text: 'SELECT run_id FROM orders WHERE order_id = $1',
    values: [order.orderId],
  });
  if (existing.rows[0]?.run_id !== order.runId) {
    throw new TimelineConflictError(`Order ${order.orderId} was already created by another workflow run`);
  }
}

/**
 * Writes the next entry of an order's timeline and what it changes on the order's row and its refunds: all of it or
 * nothing. After the first entry, which `insertOrder` makes, every writer writes through here or `settlePart`.
 *
 * @throws TimelineConflictError if the order is in another status than the transition starts from, or does not exist; or
 *   if it has gone further than the transition, which was written before
 */
export async function appendTimelineEntry(database: Database, entry: TimelineEntry): Promise<void> {
  if (!concernsRefunds(entry)) return appendEntry(database, entry);
  await inTransaction(database, async (connection) => {
    await lockOrder(connection, entry.orderId);
    await appendEntry(connection, entry);
    await followEntry(connection, entry);
  });
}

/** Reads an order with its lines and its timeline in one round trip; returns undefined if there is none. */
export async function findOrder(database: Database, orderId: string): Promise<OrderRecord | undefined> {
  const found = await database.query({
    name: 'orders.find',
    text: `
      SELECT
        o.order_id AS "orderId",
        o.customer_id AS "customerId",
        o.status,
        o.seq,
        o.total_amount_minor AS "totalAmountMinor",
        o.currency,
        o.request_hash AS "requestHash",
        o.trace_id AS "traceId",
        o.run_id AS "runId",
        o.payment_link AS "paymentLink",
        o.checkout_session_id AS "checkoutSessionId",
        o.payment_intent_id AS "paymentIntentId",
        o.tracking_number AS "trackingNumber",
        o.kept_amount_minor AS "keptAmountMinor",
        o.created_at AS "createdAt",
        o.updated_at AS "updatedAt",
        (SELECT json_agg(json_build_object(
            'itemId', l.item_id, 'name', l.name, 'quantity', l.quantity, 'unitAmountMinor', l.unit_amount_minor
          ) ORDER BY l.line_number) FROM order_lines l WHERE l.order_id = o.order_id) AS lines,
        (SELECT json_agg(json_build_object(
            'seq', t.seq, 'at', t.at, 'status', t.status, 'event', t.event, 'detail', t.detail,
            'source', t.source, 'data', t.data
          ) ORDER BY t.seq) FROM order_timeline t WHERE t.order_id = o.order_id) AS timeline,
        ${REFUNDS_OF_ORDER} AS refunds
      FROM orders o
      WHERE o.order_id = $1`,
    values: [orderId],
  });
  const row: unknown = found.rows[0];
  return row === undefined ? undefined : orderRecord.parse(row);
}

/** Returns the id of the order that was paid with this payment intent; undefined if there is none. */
export async function findOrderIdByPaymentIntent(
  database: Database,
  paymentIntentId: string,
): Promise<string | undefined> {
  const found = await database.query<{ order_id: string }>({
    name: 'orders.by-payment-intent',
    text: 'SELECT order_id FROM orders WHERE payment_intent_id = $1 LIMIT 1',
    values: [paymentIntentId],
  });
  return found.rows[0]?.order_id;
}

import type { TimelineEntry } from '../contracts/messages.ts';
import { isDuplicate, type Queryable } from './database.ts';

/** The order is not in the status that the writer expects: a bug, or a change made by hand. Nothing is overwritten. */
export class TimelineConflictError extends Error {
  override readonly name = 'TimelineConflictError';
}

/**
 * Writes the next entry of an order's timeline and what it changes on the order's row, both or neither. PostgreSQL numbers
 * the entries, one `source` writes one entry, and a transition is only written if the order is in the status that it
 * starts from.
 *
 * @throws TimelineConflictError if the order is in another status than the transition starts from, or does not exist; or
 *   if it has gone further than the transition, which was written before
 */
export async function appendEntry(database: Queryable, entry: TimelineEntry): Promise<void> {
  const { orderId, source, transition, changes = {} } = entry;
  const append = database.query({
    name: 'orders.append-entry',
    text: `
      WITH changed AS (
        UPDATE orders SET
          status = COALESCE($6, status),
          seq = seq + 1,
          updated_at = clock_timestamp(),
          checkout_session_id = COALESCE($8, checkout_session_id),
          payment_link = COALESCE($9, payment_link),
          payment_intent_id = COALESCE($10, payment_intent_id),
          tracking_number = COALESCE($11, tracking_number),
          kept_amount_minor = CASE WHEN $13 >= kept_as_of_ms THEN $12 ELSE kept_amount_minor END,
          kept_as_of_ms = GREATEST(kept_as_of_ms, $13)
        WHERE order_id = $1
          AND ($5::text IS NULL OR status = $5)
          AND NOT EXISTS (SELECT FROM order_timeline WHERE order_id = $1 AND source = $2)
        RETURNING order_id, seq, status
      ), paid AS (
        -- It no longer counts among its customer's unpaid orders.
        UPDATE reservations SET awaits_payment = false FROM changed
        WHERE $6 = 'PAID' AND reservations.order_id = changed.order_id
      )
      INSERT INTO order_timeline (order_id, seq, status, event, detail, source, data)
      SELECT order_id, seq, status, $3, $4, $2, $7 FROM changed`,
    values: [
      orderId,
      source,
      entry.event,
      entry.detail,
      transition?.from ?? entry.onlyIn ?? null,
      transition?.to ?? null,
      JSON.stringify(entry.data ?? {}),
      changes.checkoutSessionId ?? null,
      changes.paymentLink ?? null,
      changes.paymentIntentId ?? null,
      changes.trackingNumber ?? null,
      changes.kept?.amountMinor ?? null,
      changes.kept?.asOfMs ?? null,
    ],
  });
  // Of two that write the same note at once, the second sees the first one's entry only when it adds its own.
  const written = await append.catch((error: unknown) => {
    if (isDuplicate(error, 'order_timeline_order_id_source_key')) return undefined;
    throw error;
  });
  if (written?.rowCount === 1) return;
  const found = await database.query<{ status: string; isWritten: boolean }>({
    name: 'orders.entry-stands',
    text: `
      SELECT status, EXISTS (SELECT FROM order_timeline t WHERE t.order_id = o.order_id AND t.source = $2) AS "isWritten"
      FROM orders o WHERE order_id = $1`,
    values: [orderId, source],
  });
  const order = found.rows[0];
  // Written before, by an attempt whose answer was lost. A row that has gone further since has another explanation: the
  // workflow comes from a backup, and must not do again what the order has behind it.
  const stands = order?.status === transition?.to || (order?.status === 'REFUNDED' && transition?.to === 'FINISHED');
  if (order?.isWritten === true && (transition === undefined || stands)) return;
  throw new TimelineConflictError(
    order === undefined
      ? `Order ${orderId} does not exist, so ${entry.event} can't be written to its timeline`
      : `Order ${orderId} is ${order.status}, so ${entry.event} (${whatOf(entry)}) is not written`,
  );
}

function whatOf({ transition, onlyIn }: TimelineEntry): string {
  return transition === undefined ? `a note on an order that is ${onlyIn}` : `${transition.from} to ${transition.to}`;
}

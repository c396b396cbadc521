import { z } from 'zod';
import type { BookedOrder } from '../domain/books.ts';
import { orderStatuses } from '../domain/order-status.ts';
import type { Database } from './database.ts';

const bookedOrder = z.object({
  orderId: z.string(),
  status: z.enum(orderStatuses),
  totalAmountMinor: z.number(),
  currency: z.string(),
  paymentIntentId: z.string().nullable(),
  keptAmountMinor: z.number(),
  refundedMinor: z.number(),
  lostMinor: z.number(),
  sources: z.array(z.string()),
}) satisfies z.ZodType<BookedOrder>;

/** Reads what the rows say of the money of these orders, and of the orders that were paid with these payments. */
export async function findBookedOrders(
  database: Database,
  {
    orderIds,
    paymentIntentIds,
  }: { readonly orderIds: readonly string[]; readonly paymentIntentIds: readonly string[] },
): Promise<BookedOrder[]> {
  const found = await database.query({
    name: 'orders.find-booked',
    text: `
      SELECT
        o.order_id AS "orderId", o.status, o.total_amount_minor AS "totalAmountMinor", o.currency,
        o.payment_intent_id AS "paymentIntentId", o.kept_amount_minor AS "keptAmountMinor",
        o.lost_amount_minor AS "lostMinor",
        (SELECT COALESCE(sum(r.amount_minor), 0)::bigint FROM refunds r
          WHERE r.order_id = o.order_id AND r.payment_intent_id = o.payment_intent_id AND r.state = 'accepted'
        ) AS "refundedMinor",
        ARRAY(SELECT t.source FROM order_timeline t WHERE t.order_id = o.order_id) AS sources
      FROM orders o
      WHERE o.order_id = ANY($1::text[]) OR o.payment_intent_id = ANY($2::text[])`,
    values: [orderIds, paymentIntentIds],
  });
  return bookedOrder.array().parse(found.rows);
}

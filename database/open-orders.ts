import type { OpenLimit, OrderLimits, Refusal } from '../contracts/messages.ts';
import type { Queryable } from './database.ts';

/** Enough to pay or cancel one of them. */
const MAX_NAMED_ORDERS = 20;

type NewOrder = {
  readonly orderId: string;
  readonly customerId: string;
  readonly pieces: number;
};

/**
 * Returns why an order is one too many for its customer or its client address; undefined if it is not. Call it in the
 * transaction that holds the order's stock, before any item is locked. Until that ends, other orders of the same
 * customer or address wait, so that concurrent orders count each other, whichever process creates them.
 */
export async function findTooManyOpen(
  connection: Queryable,
  order: NewOrder,
  { customer, address }: OrderLimits,
): Promise<Refusal | undefined> {
  // The customer is always locked first, so that two orders cannot deadlock.
  const locks = [
    ...(customer === undefined ? [] : [`customer:${order.customerId}`]),
    ...(address === undefined ? [] : [`address:${address.hash}`]),
  ];
  if (locks.length === 0) return undefined;
  // A statement of its own: a statement sees what was committed when it began, and others commit while it waits.
  await connection.query({
    name: 'open-orders.lock',
    text: 'SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest($1::text[]) AS name',
    values: [locks],
  });
  if (customer !== undefined) {
    const open = await openOf(connection, 'customer_id', order.customerId, order.orderId);
    if (isTooMuch(open, order.pieces, customer)) return refusal('customer', customer, order, open);
  }
  if (address !== undefined) {
    const open = await openOf(connection, 'address_hash', address.hash, order.orderId);
    if (isTooMuch(open, order.pieces, address)) return refusal('address', address, order, open);
  }
  return undefined;
}

type OpenOrder = { readonly orderId: string; readonly customerId: string | null; readonly pieces: number };

async function openOf(
  connection: Queryable,
  column: 'customer_id' | 'address_hash',
  value: string,
  exceptOrderId: string,
): Promise<OpenOrder[]> {
  const found = await connection.query<OpenOrder>({
    name: `open-orders.by-${column}`,
    text: `
      SELECT r.order_id AS "orderId", r.customer_id AS "customerId", COALESCE(sum(l.quantity), 0)::integer AS pieces
      FROM reservations r LEFT JOIN reservation_lines l USING (order_id)
      WHERE r.${column} = $1 AND r.state = 'held' AND r.awaits_payment AND r.order_id <> $2
      GROUP BY r.order_id
      ORDER BY r.created_at, r.order_id`,
    values: [value, exceptOrderId],
  });
  return found.rows;
}

function isTooMuch(open: readonly OpenOrder[], pieces: number, { maxOrders, maxPieces }: OpenLimit): boolean {
  return (
    (maxOrders !== undefined && open.length + 1 > maxOrders) ||
    (maxPieces !== undefined && piecesOf(open) + pieces > maxPieces)
  );
}

function refusal(
  of: 'customer' | 'address',
  { maxOrders, maxPieces }: OpenLimit,
  { customerId, pieces }: NewOrder,
  open: readonly OpenOrder[],
): Refusal {
  return {
    reason: 'tooManyOrders',
    of,
    limit: { ...(maxOrders !== undefined && { maxOrders }), ...(maxPieces !== undefined && { maxPieces }) },
    open: { orders: open.length, pieces: piecesOf(open) },
    wantedPieces: pieces,
    // The customer must not learn of other customers' orders from the same address.
    orderIds: open
      .filter((order) => order.customerId === customerId)
      .slice(0, MAX_NAMED_ORDERS)
      .map(({ orderId }) => orderId),
  };
}

function piecesOf(orders: readonly { readonly pieces: number }[]): number {
  return orders.reduce((sum, { pieces }) => sum + pieces, 0);
}

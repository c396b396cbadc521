import type { HoldStockResult, OrderLimits, Refusal, Shortage } from '../contracts/messages.ts';
import type { OrderLine, RequestedLine } from '../domain/order-lines.ts';
import { type Database, inTransaction, type Queryable } from './database.ts';
import { findTooManyOpen } from './open-orders.ts';

/** The stock was released before this hold arrived: the hold belongs to an attempt that was abandoned. */
export class ReservationReleasedError extends Error {
  override readonly name = 'ReservationReleasedError';
}

/** Thrown to roll the transaction back, so that a refused order leaves no trace. */
class Refused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.reason);
    this.refusal = refusal;
  }
}

export type HoldStockInput = {
  readonly orderId: string;
  /** The workflow's first run; another run under the same order id is refused. */
  readonly runId: string;
  /** One line for each item. */
  readonly lines: readonly RequestedLine[];
  /** Missing in workflows that started before there were limits. */
  readonly customerId?: string;
  readonly limits?: OrderLimits;
};

/**
 * Holds stock for all lines or for none. Returns the lines with their current names and prices; called again by the
 * same run, it returns the same hold.
 *
 * @throws ReservationReleasedError if the stock was released before
 */
export async function holdStock(database: Database, input: HoldStockInput): Promise<HoldStockResult> {
  try {
    return await inTransaction(database, async (connection) => {
      const isNew = await lockReservation(connection, input);
      if (isNew) await refuseTooManyOpen(connection, input);
      const items = await lockItems(connection, input.lines);
      const lines = price(input.lines, items);
      if (isNew) {
        refuseOffSale(input.lines, items);
        refuseShortages(input.lines, items);
        await takeStock(connection, input);
      }
      return { held: true, lines };
    });
  } catch (error) {
    if (error instanceof Refused) return { held: false, refusal: error.refusal };
    throw error;
  }
}

/**
 * Releases what an order holds. If it holds nothing yet, that is recorded, and a hold that comes later is refused.
 * Idempotent.
 */
export async function giveBackStock(
  database: Database,
  { orderId, runId }: Pick<HoldStockInput, 'orderId' | 'runId'>,
): Promise<void> {
  await inTransaction(database, async (connection) => {
    const released = await connection.query({
      name: 'reservations.release',
      text: `
        INSERT INTO reservations (order_id, run_id, state, released_at)
        VALUES ($1, $2, 'released', clock_timestamp())
        ON CONFLICT (order_id) DO UPDATE SET state = 'released', released_at = clock_timestamp()
        WHERE reservations.state = 'held' AND reservations.run_id = $2`,
      values: [orderId, runId],
    });
    if (released.rowCount === 0) return;
    await connection.query({
      name: 'items.give-back',
      // Item rows are always locked in the order of their ids, so that orders cannot deadlock.
      text: `
        WITH held AS (
          SELECT i.item_id, l.quantity - l.given_back AS quantity
          FROM items i JOIN reservation_lines l USING (item_id)
          WHERE l.order_id = $1
          ORDER BY i.item_id
          FOR NO KEY UPDATE OF i
        )
        UPDATE items SET available = available + held.quantity
        FROM held WHERE items.item_id = held.item_id`,
      values: [orderId],
    });
  });
}

/**
 * Gives back pieces of an order that keeps the rest, as far as they are not back yet.
 *
 * @param pieces all that has come back in parts so far; an item may be named more than once
 */
export async function giveBackPieces(
  connection: Queryable,
  orderId: string,
  pieces: readonly RequestedLine[],
): Promise<void> {
  // The reservation first, as everywhere; what is released has nothing left to give back.
  const locked = await connection.query({
    name: 'reservations.lock-held',
    text: `SELECT FROM reservations WHERE order_id = $1 AND state = 'held' FOR UPDATE`,
    values: [orderId],
  });
  if (locked.rowCount === 0) return;
  await connection.query({
    name: 'items.give-back-pieces',
    text: `
      WITH wanted AS (
        SELECT item_id, sum(quantity) AS quantity
        FROM unnest($2::text[], $3::integer[]) AS piece (item_id, quantity)
        GROUP BY item_id
      ), back AS (
        SELECT i.item_id, (LEAST(w.quantity, l.quantity) - l.given_back)::integer AS quantity
        FROM items i JOIN reservation_lines l USING (item_id) JOIN wanted w USING (item_id)
        WHERE l.order_id = $1 AND LEAST(w.quantity, l.quantity) > l.given_back
        ORDER BY i.item_id
        FOR NO KEY UPDATE OF i
      ), lines AS (
        UPDATE reservation_lines l SET given_back = l.given_back + back.quantity
        FROM back WHERE l.order_id = $1 AND l.item_id = back.item_id
      )
      UPDATE items SET available = available + back.quantity FROM back WHERE items.item_id = back.item_id`,
    values: [orderId, pieces.map(({ itemId }) => itemId), pieces.map(({ quantity }) => quantity)],
  });
}

/**
 * Writes down that the order's goods are being shipped; from now on none of them can be kept back.
 *
 * @returns the pieces that were refunded before that, and are not shipped
 */
export async function beginShipment(database: Database, orderId: string): Promise<RequestedLine[]> {
  const began = await database.query<{ kept_back: RequestedLine[] }>({
    name: 'reservations.begin-shipment',
    // All of it is in this one row: what another table says may be older than the lock.
    text: `
      UPDATE reservations SET shipping_since = COALESCE(shipping_since, clock_timestamp())
      WHERE order_id = $1
      RETURNING kept_back`,
    values: [orderId],
  });
  return began.rows[0]?.kept_back ?? [];
}

/** Keeps pieces of an order from being shipped. To be called behind the lock of {@link isBeingShipped}. */
export async function keepBack(
  connection: Queryable,
  orderId: string,
  pieces: readonly RequestedLine[],
): Promise<void> {
  await connection.query({
    name: 'reservations.keep-back',
    text: 'UPDATE reservations SET kept_back = kept_back || $2::jsonb WHERE order_id = $1',
    values: [orderId, JSON.stringify(pieces)],
  });
}

/** Whether the goods were asked to be shipped. Locks the reservation, so that it stays so until the transaction ends. */
export async function isBeingShipped(connection: Queryable, orderId: string): Promise<boolean> {
  const found = await connection.query<{ began: boolean }>({
    name: 'reservations.is-being-shipped',
    text: 'SELECT shipping_since IS NOT NULL AS began FROM reservations WHERE order_id = $1 FOR UPDATE',
    values: [orderId],
  });
  return found.rows[0]?.began === true;
}

/**
 * Locks the order's reservation row, and inserts it if it is new; every change to the order's stock takes this lock.
 */
/**
 * Writes down what a reservation had held that is released, if its lines are missing: in a restored database its order may
 * have given back what that no longer knew of. No stock moves.
 */
export async function recordReleasedLines(
  database: Database,
  { orderId, runId, lines }: Pick<HoldStockInput, 'orderId' | 'runId' | 'lines'>,
): Promise<void> {
  await database.query({
    name: 'reservation-lines.record-released',
    text: `
      INSERT INTO reservation_lines (order_id, item_id, quantity)
      SELECT r.order_id, line.item_id, line.quantity
      FROM reservations r, unnest($3::text[], $4::integer[]) AS line (item_id, quantity)
      WHERE r.order_id = $1 AND r.run_id = $2 AND r.state = 'released'
      ON CONFLICT DO NOTHING`,
    values: [orderId, runId, lines.map((line) => line.itemId), lines.map((line) => line.quantity)],
  });
}

async function lockReservation(connection: Queryable, input: HoldStockInput): Promise<boolean> {
  const { orderId, runId, customerId, limits } = input;
  const inserted = await connection.query({
    name: 'reservations.insert',
    text: `
      INSERT INTO reservations (order_id, run_id, state, customer_id, address_hash) VALUES ($1, $2, 'held', $3, $4)
      ON CONFLICT (order_id) DO NOTHING`,
    values: [orderId, runId, customerId ?? null, limits?.address?.hash ?? null],
  });
  if (inserted.rowCount === 1) return true;
  const existing = await connection.query<{ run_id: string; state: string }>({
    name: 'reservations.lock',
    text: 'SELECT run_id, state FROM reservations WHERE order_id = $1 FOR UPDATE',
    values: [orderId],
  });
  const reservation = existing.rows[0];
  if (reservation?.run_id !== runId) {
    if (await takeOver(connection, input)) return true;
    throw new Refused({ reason: 'orderExists' });
  }
  if (reservation.state === 'released') {
    throw new ReservationReleasedError(`The stock of order ${orderId} was released before, so it is not held again`);
  }
  return false;
}

/**
 * Takes over the reservation of a run that was refused and that Temporal has since forgotten: the client may send its
 * idempotency key again after that. The reservation holds nothing, and it never became an order.
 */
async function takeOver(
  connection: Queryable,
  { orderId, runId, customerId, limits }: HoldStockInput,
): Promise<boolean> {
  const taken = await connection.query({
    name: 'reservations.take-over',
    text: `
      UPDATE reservations SET run_id = $2, state = 'held', released_at = NULL, customer_id = $3, address_hash = $4
      WHERE order_id = $1 AND state = 'released' AND NOT EXISTS (SELECT FROM orders WHERE order_id = $1)`,
    values: [orderId, runId, customerId ?? null, limits?.address?.hash ?? null],
  });
  if (taken.rowCount === 0) return false;
  await connection.query({
    name: 'reservation-lines.clear',
    text: 'DELETE FROM reservation_lines WHERE order_id = $1',
    values: [orderId],
  });
  return true;
}

/** Queries nothing if there are no limits. */
async function refuseTooManyOpen(
  connection: Queryable,
  { orderId, customerId, limits, lines }: HoldStockInput,
): Promise<void> {
  if (limits === undefined || customerId === undefined) return;
  const pieces = lines.reduce((sum, { quantity }) => sum + quantity, 0);
  const refusal = await findTooManyOpen(connection, { orderId, customerId, pieces }, limits);
  if (refusal !== undefined) throw new Refused(refusal);
}

type ItemRow = {
  item_id: string;
  name: string;
  unit_amount_minor: number;
  currency: string;
  available: number;
  on_sale: boolean;
};

async function lockItems(connection: Queryable, lines: readonly RequestedLine[]): Promise<Map<string, ItemRow>> {
  const found = await connection.query<ItemRow>({
    name: 'items.lock',
    text: `
      SELECT item_id, name, unit_amount_minor, currency, available, on_sale
      FROM items WHERE item_id = ANY($1::text[])
      ORDER BY item_id
      FOR NO KEY UPDATE`,
    values: [lines.map((line) => line.itemId)],
  });
  return new Map(found.rows.map((row) => [row.item_id, row]));
}

function price(requested: readonly RequestedLine[], items: ReadonlyMap<string, ItemRow>): OrderLine[] {
  const lines: OrderLine[] = [];
  const unknown: string[] = [];
  for (const { itemId, quantity } of requested) {
    const item = items.get(itemId);
    if (item === undefined) {
      unknown.push(itemId);
    } else {
      const { name, unit_amount_minor: unitAmountMinor, currency } = item;
      lines.push({ itemId, name, quantity, unitAmountMinor, currency });
    }
  }
  if (unknown.length > 0) throw new Refused({ reason: 'unknownItem', itemIds: unknown });
  const currencies = [...new Set(lines.map((line) => line.currency))].sort();
  if (currencies.length > 1) throw new Refused({ reason: 'mixedCurrencies', currencies });
  return lines;
}

/** Only for a new hold: taking an item off sale does not affect orders that already hold it. */
function refuseOffSale(requested: readonly RequestedLine[], items: ReadonlyMap<string, ItemRow>): void {
  const itemIds = requested.map(({ itemId }) => itemId).filter((itemId) => items.get(itemId)?.on_sale === false);
  if (itemIds.length > 0) throw new Refused({ reason: 'unknownItem', itemIds, offSaleIds: itemIds });
}

function refuseShortages(requested: readonly RequestedLine[], items: ReadonlyMap<string, ItemRow>): void {
  const shortages: Shortage[] = [];
  for (const { itemId, quantity } of requested) {
    const available = items.get(itemId)?.available ?? 0;
    if (available < quantity) shortages.push({ itemId, wanted: quantity, available });
  }
  if (shortages.length > 0) throw new Refused({ reason: 'outOfStock', shortages });
}

async function takeStock(connection: Queryable, { orderId, lines }: HoldStockInput): Promise<void> {
  await connection.query({
    name: 'items.take',
    text: `
      WITH taken AS (
        UPDATE items SET available = available - line.quantity
        FROM unnest($2::text[], $3::integer[]) AS line (item_id, quantity)
        WHERE items.item_id = line.item_id
        RETURNING items.item_id, line.quantity
      )
      INSERT INTO reservation_lines (order_id, item_id, quantity)
      SELECT $1, item_id, quantity FROM taken`,
    values: [orderId, lines.map((line) => line.itemId), lines.map((line) => line.quantity)],
  });
}

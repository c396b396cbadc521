import { z } from 'zod';
import type { Database, Queryable } from './database.ts';

const itemOnSale = z.object({
  itemId: z.string(),
  name: z.string(),
  unitAmountMinor: z.number(),
  currency: z.string(),
  available: z.number(),
});
const itemRecord = itemOnSale.extend({
  onSale: z.boolean(),
  initial: z.number(),
  restocked: z.number(),
  held: z.number(),
});

/** An item that customers can order. */
export type ItemOnSale = z.infer<typeof itemOnSale>;

/**
 * An item with its stock: `initial + restocked = available + held`. `restocked` is what was added less what was removed
 * by corrections; `held` is what open orders hold and what has left with finished ones.
 */
export type ItemRecord = z.infer<typeof itemRecord>;

const COLUMNS = `
  item_id AS "itemId", name, unit_amount_minor AS "unitAmountMinor", currency, on_sale AS "onSale", initial, restocked,
  available, initial + restocked - available AS held`;

/** Lists all items by name. */
export async function listItems(database: Database): Promise<ItemRecord[]> {
  const listed = await database.query({
    name: 'items.list',
    text: `SELECT ${COLUMNS} FROM items ORDER BY name, item_id`,
  });
  return itemRecord.array().parse(listed.rows);
}

/**
 * Lists all items by name, as of one moment, with what orders hold counted from their reservations. It reads every
 * reservation there ever was: it is for the doctor, which checks that the two agree.
 */
export async function listCountedItems(database: Database): Promise<ItemRecord[]> {
  const listed = await database.query({
    name: 'items.list-counted',
    text: `
      SELECT i.item_id AS "itemId", i.name, i.unit_amount_minor AS "unitAmountMinor", i.currency, i.on_sale AS "onSale",
        i.initial, i.restocked, i.available, COALESCE(h.held, 0) AS held
      FROM items i LEFT JOIN (
        SELECT l.item_id, sum(l.quantity - l.given_back)::bigint AS held
        FROM reservation_lines l JOIN reservations r USING (order_id)
        WHERE r.state = 'held'
        GROUP BY l.item_id
      ) h USING (item_id)
      ORDER BY i.name, i.item_id`,
  });
  return itemRecord.array().parse(listed.rows);
}

/** Lists the items that customers can order, by name. */
export async function listItemsOnSale(database: Database): Promise<ItemOnSale[]> {
  const listed = await database.query({
    name: 'items.list-on-sale',
    text: `
      SELECT item_id AS "itemId", name, unit_amount_minor AS "unitAmountMinor", currency, available
      FROM items
      WHERE on_sale
      ORDER BY name, item_id`,
  });
  return itemOnSale.array().parse(listed.rows);
}

/** Reads an item; returns undefined if there is none. */
export async function findItem(database: Queryable, itemId: string): Promise<ItemRecord | undefined> {
  const found = await database.query({
    name: 'items.find',
    text: `SELECT ${COLUMNS} FROM items WHERE item_id = $1`,
    values: [itemId],
  });
  const row: unknown = found.rows[0];
  return row === undefined ? undefined : itemRecord.parse(row);
}

/** The same, holding the lock that orders take on an item's stock. */
export async function lockItem(connection: Queryable, itemId: string): Promise<ItemRecord | undefined> {
  const found = await connection.query({
    name: 'items.find-locked',
    text: `SELECT ${COLUMNS} FROM items WHERE item_id = $1 FOR NO KEY UPDATE`,
    values: [itemId],
  });
  const row: unknown = found.rows[0];
  return row === undefined ? undefined : itemRecord.parse(row);
}

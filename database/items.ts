import { z } from 'zod';
import type { Database } from './database.ts';

const itemRecord = z.object({
  itemId: z.string(),
  name: z.string(),
  unitAmountMinor: z.number(),
  currency: z.string(),
  initial: z.number(),
  restocked: z.number(),
  available: z.number(),
  held: z.number(),
});

/** An item with its stock; `held` is what orders hold, those that are alive and those whose goods have left. */
export type ItemRecord = z.infer<typeof itemRecord>;

/** Lists all items by name, as they stood together in one moment. */
export async function listItems(database: Database): Promise<ItemRecord[]> {
  const listed = await database.query({
    name: 'items.list',
    text: `
      SELECT
        i.item_id AS "itemId",
        i.name,
        i.unit_amount_minor AS "unitAmountMinor",
        i.currency,
        i.initial,
        i.restocked,
        i.available,
        COALESCE(h.held, 0) AS held
      FROM items i LEFT JOIN (
        SELECT l.item_id, sum(l.quantity)::bigint AS held
        FROM reservation_lines l JOIN reservations r USING (order_id)
        WHERE r.state = 'held'
        GROUP BY l.item_id
      ) h USING (item_id)
      ORDER BY i.name, i.item_id`,
  });
  return itemRecord.array().parse(listed.rows);
}

/**
 * Adds stock that has come in to an item.
 *
 * @param quantity pieces, 1 or more
 * @returns how many are available now; undefined where there is no such item
 */
export async function restockItem(database: Database, itemId: string, quantity: number): Promise<number | undefined> {
  if (!Number.isSafeInteger(quantity) || quantity < 1)
    throw new RangeError(`Stock grows by 1 or more, not ${quantity}`);
  const restocked = await database.query<{ available: number }>({
    name: 'items.restock',
    text: `
      UPDATE items SET restocked = restocked + $2, available = available + $2
      WHERE item_id = $1
      RETURNING available`,
    values: [itemId, quantity],
  });
  return restocked.rows[0]?.available;
}

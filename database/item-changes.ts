import { z } from 'zod';
import { must } from '../domain/must.ts';
import { type Database, inTransaction, type Queryable } from './database.ts';
import { findItem, type ItemRecord, lockItem } from './items.ts';

/** The most pieces that an item can have: less than half of what an integer column can store. */
export const MAX_STOCK = 1_000_000_000;

/** Who changes an item, and why; both are recorded with every change. */
export type Author = { readonly by: string; readonly reason?: string | undefined };

export type NewItem = Pick<ItemRecord, 'itemId' | 'name' | 'unitAmountMinor' | 'currency' | 'onSale' | 'available'>;

/**
 * Adds an item; `available` becomes its initial stock.
 *
 * @returns undefined if the item already exists; it is not changed then
 */
export async function insertItem(database: Database, item: NewItem, author: Author): Promise<ItemRecord | undefined> {
  return inTransaction(database, async (connection) => {
    const { itemId, name, unitAmountMinor, currency, onSale, available } = item;
    const inserted = await connection.query({
      name: 'items.insert',
      text: `
        INSERT INTO items (item_id, name, unit_amount_minor, currency, on_sale, initial, available)
        VALUES ($1, $2, $3, $4, $5, $6, $6)
        ON CONFLICT (item_id) DO NOTHING`,
      values: [itemId, name, unitAmountMinor, currency, onSale, available],
    });
    if (inserted.rowCount === 0) return undefined;
    await writeChange(connection, itemId, author, null, { name, unitAmountMinor, currency, onSale, available });
    return must(await findItem(connection, itemId), `the item ${itemId}`);
  });
}

/** The fields of an item that can be changed; missing ones stay. Another currency takes another item. */
export type ItemFields = {
  readonly name?: string | undefined;
  readonly unitAmountMinor?: number | undefined;
  readonly onSale?: boolean | undefined;
};

/**
 * Changes an item for new orders; existing orders have their own names and prices. Nothing is recorded if nothing
 * changes.
 *
 * @param check called with the current item, locked; if it throws, the item is not changed
 * @returns undefined if there is no such item
 * @throws what `check` throws
 */
export async function updateItem(
  database: Database,
  itemId: string,
  fields: ItemFields,
  author: Author,
  check: (item: ItemRecord) => void,
): Promise<ItemRecord | undefined> {
  return inTransaction(database, async (connection) => {
    const item = await lockItem(connection, itemId);
    if (item === undefined) return undefined;
    check(item);
    const changed = (['name', 'unitAmountMinor', 'onSale'] as const).filter(
      (field) => fields[field] !== undefined && fields[field] !== item[field],
    );
    if (changed.length === 0) return item;
    await connection.query({
      name: 'items.update',
      text: `
        UPDATE items SET
          name = COALESCE($2, name),
          unit_amount_minor = COALESCE($3, unit_amount_minor),
          on_sale = COALESCE($4, on_sale)
        WHERE item_id = $1`,
      values: [itemId, fields.name ?? null, fields.unitAmountMinor ?? null, fields.onSale ?? null],
    });
    const valuesOf = (values: ItemFields) => Object.fromEntries(changed.map((field) => [field, values[field]]));
    await writeChange(connection, itemId, author, valuesOf(item), valuesOf(fields));
    return must(await findItem(connection, itemId), `the item ${itemId}`);
  });
}

export type StockChange =
  | { readonly outcome: 'changed'; readonly item: ItemRecord }
  /** Fewer pieces are available than the change would remove; what orders hold can't be removed. */
  | { readonly outcome: 'tooFew'; readonly item: ItemRecord }
  /** The item would have more than {@link MAX_STOCK} pieces. */
  | { readonly outcome: 'tooMany'; readonly item: ItemRecord };

/**
 * Adds pieces to the stock, or removes those that are lost, broken or were miscounted; never more than are available.
 *
 * @param change pieces, negative to remove them
 * @returns undefined if there is no such item
 * @throws RangeError if the change is not a whole number
 */
export async function changeStock(
  database: Database,
  itemId: string,
  change: number,
  author: Author,
): Promise<StockChange | undefined> {
  if (!Number.isSafeInteger(change))
    throw new RangeError(`The stock of ${itemId} can only change by a whole number, not ${change}`);
  return inTransaction(database, async (connection) => {
    const item = await lockItem(connection, itemId);
    if (item === undefined) return undefined;
    if (item.available + change < 0) return { outcome: 'tooFew', item };
    if (item.initial + item.restocked + change > MAX_STOCK) return { outcome: 'tooMany', item };
    await connection.query({
      name: 'items.change-stock',
      text: 'UPDATE items SET restocked = restocked + $2, available = available + $2 WHERE item_id = $1',
      values: [itemId, change],
    });
    const available = item.available + change;
    await writeChange(connection, itemId, author, { available: item.available }, { available });
    return { outcome: 'changed', item: must(await findItem(connection, itemId), `the item ${itemId}`) };
  });
}

async function writeChange(
  connection: Queryable,
  itemId: string,
  { by, reason }: Author,
  oldValues: object | null,
  newValues: object,
): Promise<void> {
  await connection.query({
    name: 'item-changes.insert',
    text: `
      INSERT INTO item_changes (item_id, changed_by, reason, old_values, new_values) VALUES ($1, $2, $3, $4, $5)`,
    values: [itemId, by, reason ?? null, oldValues && JSON.stringify(oldValues), JSON.stringify(newValues)],
  });
}

const itemChange = z.object({
  at: z.date(),
  by: z.string(),
  reason: z.string().nullable(),
  oldValues: z.record(z.string(), z.unknown()).nullable(),
  newValues: z.record(z.string(), z.unknown()),
});

export type ItemChange = z.infer<typeof itemChange>;

/** Lists the changes of an item, the latest first. */
export async function listItemChanges(database: Database, itemId: string, limit: number): Promise<ItemChange[]> {
  const listed = await database.query({
    name: 'item-changes.list',
    text: `
      SELECT at, changed_by AS by, reason, old_values AS "oldValues", new_values AS "newValues"
      FROM item_changes
      WHERE item_id = $1
      ORDER BY change_id DESC
      LIMIT $2`,
    values: [itemId, limit],
  });
  return itemChange.array().parse(listed.rows);
}

import {
  type Author,
  changeStock as writeStockChange,
  insertItem,
  type ItemFields,
  MAX_STOCK,
  type NewItem,
  updateItem,
} from '../database/item-changes.ts';
import type { Database } from '../database/database.ts';
import { type ItemOnSale, type ItemRecord, listItems, listItemsOnSale } from '../database/items.ts';
import { whyStripeRefusesName } from '../domain/item-name.ts';
import { whyStripeRefusesPrice } from '../domain/money.ts';
import { ApiError, type FieldProblem, invalidRequest } from './errors.ts';

/**
 * The items that are sold, for the routes and the command line. Every function throws an ApiError for what it refuses.
 */
export type Catalogue = {
  readonly listItems: () => Promise<ItemRecord[]>;
  readonly listItemsOnSale: () => Promise<ItemOnSale[]>;
  /**
   * Adds an item.
   *
   * @throws ApiError 1000 if Stripe would refuse its name or price, 3002 if the item already exists
   */
  readonly addItem: (item: NewItem, author: Author) => Promise<ItemRecord>;
  /**
   * Changes an item for new orders; existing orders keep their names and prices.
   *
   * @throws ApiError 1000 if Stripe would refuse its name or price, 3003 if there is no such item
   */
  readonly changeItem: (itemId: string, fields: ItemFields, author: Author) => Promise<ItemRecord>;
  /**
   * Adds pieces to the stock, or removes some.
   *
   * @param change pieces, negative to remove them
   * @throws ApiError 1000 if the item would have too many pieces, 3000 if fewer are available than are to be removed,
   *   3003 if there is no such item
   */
  readonly changeStock: (itemId: string, change: number, author: Author) => Promise<ItemRecord>;
};

export function createCatalogue(database: Database): Catalogue {
  return {
    listItems: async () => listItems(database),
    listItemsOnSale: async () => listItemsOnSale(database),

    async addItem(item, author) {
      refuse([...nameProblems(item.name), ...priceProblems(item)]);
      const added = await insertItem(database, item, author);
      if (added !== undefined) return added;
      throw new ApiError('itemExists', `Item ${item.itemId} already exists; change it instead`, {
        data: { item_id: item.itemId },
      });
    },

    async changeItem(itemId, fields, author) {
      refuse(nameProblems(fields.name));
      const changed = isItemId(itemId)
        ? await updateItem(database, itemId, fields, author, ({ currency }) =>
            refuse(priceProblems({ ...fields, currency })),
          )
        : undefined;
      return changed ?? refuseUnknown(itemId);
    },

    async changeStock(itemId, change, author) {
      const changed = isItemId(itemId) ? await writeStockChange(database, itemId, change, author) : undefined;
      if (changed === undefined) return refuseUnknown(itemId);
      const { outcome, item } = changed;
      if (outcome === 'changed') return item;
      const { available, held } = item;
      if (outcome === 'tooMany') {
        throw invalidRequest([{ path: 'change', problem: `would bring the item above ${MAX_STOCK} pieces` }]);
      }
      const heldToo = held === 0 ? '' : `; ${held} more are held by orders, or have left with them`;
      throw new ApiError(
        'outOfStock',
        `${-change} of ${itemId} can't be removed from the stock: ${available} are available${heldToo}`,
        { data: { items: [{ item_id: itemId, wanted: -change, available }] } },
      );
    },
  };
}

/** No item has any other id, and PostgreSQL refuses some characters. */
function isItemId(text: string): boolean {
  return /^[\x20-\x7e]{1,128}$/.test(text);
}

function refuseUnknown(itemId: string): never {
  const shown = JSON.stringify(itemId.slice(0, 40))
    .slice(1, -1)
    .replace(/[^\x20-\x7e]/g, '?');
  throw new ApiError('noSuchItem', `There is no item ${shown}`);
}

function nameProblems(name: string | undefined): FieldProblem[] {
  const problem = name === undefined ? undefined : whyStripeRefusesName(name);
  return problem === undefined ? [] : [{ path: 'name', problem }];
}

function priceProblems({ unitAmountMinor, currency }: ItemFields & { readonly currency: string }): FieldProblem[] {
  if (unitAmountMinor === undefined) return [];
  const why = whyStripeRefusesPrice({ amountMinor: unitAmountMinor, currency });
  return why === undefined ? [] : [{ path: 'unit_amount_minor', problem: `is refused by Stripe: ${why}` }];
}

function refuse(problems: readonly FieldProblem[]): void {
  if (problems.length > 0) throw invalidRequest(problems);
}

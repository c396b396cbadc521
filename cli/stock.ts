import { operatorName } from './operator-name.ts';
import { createCatalogue } from '../api/catalogue.ts';
import { listItems } from '../database/items.ts';
import { formatMoney } from '../domain/money.ts';
import type { Context } from './context.ts';
import type { CommandResult } from './run-command.ts';
import { table } from './text.ts';

export async function showStock({ database }: Context): Promise<CommandResult> {
  const items = await listItems(database);
  const rows = items.map((item) => [
    item.itemId,
    item.name,
    formatMoney({ amountMinor: item.unitAmountMinor, currency: item.currency }),
    item.onSale ? 'yes' : 'no',
    String(item.available),
    String(item.held),
    String(item.initial),
    String(item.restocked),
  ]);
  const head = ['ITEM', 'NAME', 'PRICE', 'ON SALE', 'AVAILABLE', 'HELD BY ORDERS', 'AT THE START', 'ADDED SINCE'];
  return { data: items, text: table([head, ...rows]) };
}

/**
 * Adds new stock, or removes what is lost.
 *
 * @param change pieces, negative to remove them
 */
export async function changeStock(
  { database }: Context,
  itemId: string,
  change: number,
  reason: string,
): Promise<CommandResult> {
  const { available } = await createCatalogue(database).changeStock(itemId, change, { by: operatorName(), reason });
  const done = change > 0 ? `${change} added` : `${-change} removed`;
  return { data: { itemId, change, available }, text: `${itemId}: ${done}, ${available} available now.` };
}

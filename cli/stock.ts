import { listItems, restockItem } from '../database/items.ts';
import { formatMoney } from '../domain/money.ts';
import type { Context } from './context.ts';
import { CliError, exitCodes } from './errors.ts';
import type { CommandResult } from './run-command.ts';
import { table } from './text.ts';

export async function showStock({ database }: Context): Promise<CommandResult> {
  const items = await listItems(database);
  const rows = items.map((item) => [
    item.itemId,
    item.name,
    formatMoney({ amountMinor: item.unitAmountMinor, currency: item.currency }),
    String(item.available),
    String(item.held),
    String(item.initial),
    String(item.restocked),
  ]);
  const head = ['ITEM', 'NAME', 'PRICE', 'AVAILABLE', 'HELD BY ORDERS', 'AT THE START', 'ADDED SINCE'];
  return { data: items, text: table([head, ...rows]) };
}

/** Adds stock that has come in. */
export async function addStock({ database }: Context, itemId: string, quantity: number): Promise<CommandResult> {
  const available = await restockItem(database, itemId, quantity);
  if (available === undefined) {
    throw new CliError(
      exitCodes.notFound,
      `There is no item ${itemId}. \`npm run cli -- stock list\` shows all items.`,
    );
  }
  return {
    data: { itemId, added: quantity, available },
    text: `${itemId}: ${quantity} added, ${available} available now.`,
  };
}

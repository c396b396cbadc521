import { operatorName } from './operator-name.ts';
import { createCatalogue } from '../api/catalogue.ts';
import { type ItemFields, listItemChanges, type NewItem } from '../database/item-changes.ts';
import { findItem, type ItemRecord } from '../database/items.ts';
import { formatMoney } from '../domain/money.ts';
import type { Context } from './context.ts';
import { CliError, exitCodes } from './errors.ts';
import type { CommandResult } from './run-command.ts';
import { formatTime, table } from './text.ts';

/** The most changes to list; older ones are in the table `item_changes`. */
const MAX_CHANGES = 1000;

type Reason = { readonly reason?: string | undefined };

/** Adds an item to the catalogue. */
export async function addItem({ database }: Context, item: NewItem, { reason }: Reason): Promise<CommandResult> {
  const added = await createCatalogue(database).addItem(item, { by: operatorName(), reason });
  return { data: added, text: `Added. ${describe(added)}` };
}

/** Changes an item's name or price, or whether it is on sale. */
export async function changeItem(
  { database }: Context,
  itemId: string,
  fields: ItemFields,
  { reason }: Reason,
): Promise<CommandResult> {
  const changed = await createCatalogue(database).changeItem(itemId, fields, { by: operatorName(), reason });
  return { data: changed, text: `${describe(changed)} Existing orders keep their names and prices.` };
}

/** Shows the changes of an item: what, by whom and why. */
export async function showItemChanges({ database }: Context, itemId: string): Promise<CommandResult> {
  if ((await findItem(database, itemId)) === undefined) {
    throw new CliError(
      exitCodes.notFound,
      `There is no item ${itemId}. \`npm run cli -- stock list\` shows all items.`,
    );
  }
  const changes = await listItemChanges(database, itemId, MAX_CHANGES);
  const rows = changes.map(({ at, by, reason, oldValues, newValues }) => [
    formatTime(at),
    by,
    Object.entries(newValues)
      .map(([field, value]) => `${field} ${oldValues === null ? '' : `${String(oldValues[field])} → `}${String(value)}`)
      .join(', '),
    reason ?? '',
  ]);
  const text = rows.length === 0 ? 'No changes.' : table([['WHEN', 'WHO', 'WHAT', 'WHY'], ...rows]);
  return { data: changes, text };
}

function describe({ itemId, name, unitAmountMinor: amountMinor, currency, onSale, available }: ItemRecord): string {
  const price = formatMoney({ amountMinor, currency });
  return `${itemId}: ${name} at ${price}, ${onSale ? 'on sale' : 'not on sale'}, ${available} available.`;
}

import { listCountedItems } from '../../database/items.ts';
import { type HeldStock, listOrdersWithoutStock, listStrayStock } from '../../database/order-checks.ts';
import type { Context } from '../context.ts';
import { formatTime } from '../text.ts';
import { attempt, type Finding, ok, problem } from './finding.ts';

const ABOUT = 'Stock';
/** A create holds its stock shortly before its row is written. */
const FRESH_MS = 5 * 60_000;

/** Checks that each item's stock adds up, and that exactly the orders that need stock hold it. */
export async function checkStock({ database }: Context): Promise<readonly Finding[]> {
  return attempt(ABOUT, 'See the findings on PostgreSQL.', async () => {
    const [items, stray, without] = await Promise.all([
      listCountedItems(database),
      listStrayStock(database),
      listOrdersWithoutStock(database),
    ]);
    const findings = items.flatMap(({ itemId, name, initial, restocked, available, held }) => {
      const expected = initial + restocked;
      if (expected === available + held) return [];
      return [
        problem(
          ABOUT,
          `${name} (${itemId}): ${initial} at the start and ${restocked} added since make ${expected}, but ${available} are available and ${held} are held by orders`,
          'Rows were changed by hand, or a restore mixed two states. See docs/operations.md, "Stock is wrong".',
        ),
      ];
    });
    const old = stray.filter(isOld);
    if (old.length > 0) {
      findings.push(
        problem(
          ABOUT,
          `${sum(old)} pieces are held for orders that have ended or never existed; the oldest since ${formatTime(old[0]?.heldSince ?? new Date())}`,
          '`npm run cli -- doctor --repair` releases what is held for orders that never existed. See docs/operations.md, "Stock is wrong".',
          old.map(({ orderId }) => orderId),
        ),
      );
    }
    if (without.length > 0) {
      findings.push(
        problem(
          ABOUT,
          `${without.length} orders hold no stock, so their goods could be sold twice`,
          'See docs/operations.md, "Stock is wrong".',
          without,
        ),
      );
    }
    return findings.length > 0 ? findings : [ok(ABOUT, `adds up for all ${items.length} items`)];
  });
}

export function isOld({ heldSince }: HeldStock): boolean {
  return Date.now() - heldSince.getTime() > FRESH_MS;
}

function sum(held: readonly HeldStock[]): number {
  return held.reduce((total, { pieces }) => total + pieces, 0);
}

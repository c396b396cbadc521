import { runner } from 'node-pg-migrate';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { withClient } from '../dev/stack/postgres.ts';
import { createTestDatabase, type TestDatabase } from '../dev/stack/test-database.ts';
import { whyStripeRefusesName } from '../domain/item-name.ts';
import { whyStripeRefusesPrice } from '../domain/money.ts';
import { migrate } from './migrate.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase(inject('databaseUrl'));
});
afterAll(async () => database.drop());

type Item = { itemId: string; name?: string; unitAmountMinor?: number; currency?: string };

/** Resolves to the name of the constraint that refuses the item, or undefined if it is accepted. */
async function insert(items: readonly Item[], url = database.url): Promise<(string | undefined)[]> {
  return withClient(url, async (client) => {
    const refusals: (string | undefined)[] = [];
    for (const { itemId, name = 'Pen', unitAmountMinor = 100, currency = 'USD' } of items) {
      const inserted = client.query(
        `INSERT INTO items (item_id, name, unit_amount_minor, currency, initial, available) VALUES ($1, $2, $3, $4, 1, 1)`,
        [itemId, name, unitAmountMinor, currency],
      );
      refusals.push(
        await inserted.then(
          () => undefined,
          (error: { constraint?: string; message: string }) => error.constraint ?? error.message,
        ),
      );
    }
    return refusals;
  });
}

describe('the name of an item', () => {
  test.each([
    ['empty', '', 'items_name_is_not_blank'],
    ['blank', '   ', 'items_name_is_not_blank'],
    ['of no-break, wide and invisible spaces', '\u00A0\u3000\u200B\uFEFF', 'items_name_is_not_blank'],
    ['with a line break', 'Pen\nPencil', 'items_name_is_one_line'],
    ['with a carriage return', 'Pen\r', 'items_name_is_one_line'],
    ['with a tab', 'Pen\tPencil', 'items_name_is_one_line'],
    ['with an escape character', 'Pen\u001B[31m', 'items_name_is_one_line'],
    ['with a C1 control character', 'Pen\u0085', 'items_name_is_one_line'],
    ['with a line separator', 'Pen\u2028Pencil', 'items_name_is_one_line'],
    ['with 251 characters', 'x'.repeat(251), 'items_name_is_short_enough'],
  ])('is not %s, as the domain says', async (_what, name, constraint) => {
    expect(await insert([{ itemId: 'refused', name }])).toEqual([constraint]);
    expect(whyStripeRefusesName(name)).toBeDefined();
  });

  test('may be in any script, and have 250 characters', async () => {
    const names = ['x'.repeat(250), '🖍'.repeat(250), '铅笔', 'قلم رصاص', 'Crayon à papier', "a 'pen' \\n % é", '👩‍🎨'];
    const items = names.map((name, index) => ({ itemId: `named_${index}`, name }));
    expect(await insert(items)).toEqual(names.map(() => undefined));
    expect(names.map(whyStripeRefusesName)).toEqual(names.map(() => undefined));
  });
});

test('the price of an item is one that Stripe accepts in its currency, as the domain says', async () => {
  const currencies = 'USD EUR JPY KRW MGA ISK UGX HUF TWD BHD JOD KWD OMR TND'.split(' ');
  const prices = currencies.flatMap((currency) =>
    [-100, 0, 1, 5, 10, 50, 100, 105, 110, 5124, 99_999_900, 99_999_999, 100_000_000].map((amountMinor) => ({
      amountMinor,
      currency,
    })),
  );
  const refusals = await insert(
    prices.map(({ amountMinor: unitAmountMinor, currency }) => ({
      itemId: `${currency}_${unitAmountMinor}`,
      unitAmountMinor,
      currency,
    })),
  );
  const refused = prices.filter((_price, index) => refusals[index] !== undefined);
  expect(refused).toEqual(prices.filter((price) => whyStripeRefusesPrice(price) !== undefined));
  expect(new Set(refusals)).toEqual(new Set([undefined, 'items_unit_amount_minor_check', 'items_price_is_chargeable']));
});

describe('the migration that adds these rules', () => {
  /** A database of its own whose schema is the one before the rules. */
  async function withDatabaseBefore(run: (url: string) => Promise<void>): Promise<void> {
    const own = await createTestDatabase(inject('databaseUrl'));
    try {
      const { url: databaseUrl } = own;
      const dir = new URL('migrations', import.meta.url).pathname;
      const { rows } = await withClient(databaseUrl, (client) =>
        client.query<{ count: number }>(`SELECT count(*)::int FROM schema_migrations WHERE name >= '0004'`),
      );
      const count = rows[0]?.count ?? 0;
      await runner({ databaseUrl, dir, direction: 'down', count, migrationsTable: 'schema_migrations', log: () => {} });
      await run(databaseUrl);
    } finally {
      await own.drop();
    }
  }

  test('names each item that Stripe refuses, with the problem and the fix, and goes on once they are fixed', () =>
    withDatabaseBefore(async (url) => {
      const items = [
        { itemId: 'blank', name: ' ' },
        { itemId: 'broken', name: 'Pen\nPencil' },
        { itemId: 'long', name: 'x'.repeat(300) },
        { itemId: 'shilling', currency: 'UGX', unitAmountMinor: 550 },
        { itemId: 'dinar', currency: 'KWD', unitAmountMinor: 5124 },
        { itemId: 'good' },
      ];
      expect(await insert(items, url)).toEqual(items.map(() => undefined));
      const failed = await migrate(url).then(
        () => 'it migrated',
        (error: Error) => error.message,
      );
      for (const part of [
        'blank (its name is blank)',
        'broken (its name has a line break or another control character)',
        'dinar (its price of 5124 is not a multiple of 10, as Stripe wants for KWD)',
        'long (its name has 300 characters, and Stripe accepts 250)',
        'shilling (its price of 550 is not a multiple of 100, and UGX has no fractions)',
        'Fix their name or unit_amount_minor in the table items',
      ]) {
        expect(failed).toContain(part);
      }
      expect(failed).not.toMatch(/good|prod_|DATABASE_URL/);
      await withClient(url, (client) => client.query(`DELETE FROM items WHERE item_id <> 'good'`));
      expect((await migrate(url))[0]).toBe('0004_items-that-stripe-accepts');
      expect(await insert([{ itemId: 'late', name: '' }], url)).toEqual(['items_name_is_not_blank']);
    }));
});

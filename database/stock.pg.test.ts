import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../dev/stack/test-database.ts';
import { createDatabase, type Database } from './database.ts';
import { giveBackStock, holdStock, ReservationReleasedError } from './stock.ts';

const PENCIL = 'prod_SNjRcpjxpiazxk';
const BOOK = 'prod_SNjQpQjNC8QuaD';

let testDatabase: TestDatabase;
let database: Database;
let orders = 0;
beforeAll(async () => {
  testDatabase = await createTestDatabase(inject('databaseUrl'));
  database = createDatabase({ url: testDatabase.url, poolSize: 20, name: 'test' });
});
afterAll(async () => {
  await database.end();
  await testDatabase.drop();
});

function newOrder(lines = [{ itemId: PENCIL, quantity: 3 }], runId = 'run-1') {
  orders += 1;
  return { orderId: orders.toString(16).padStart(24, '0'), runId, lines };
}

async function availableOf(itemId: string): Promise<number> {
  const found = await database.query<{ available: number }>('SELECT available FROM items WHERE item_id = $1', [itemId]);
  return found.rows[0]?.available ?? Number.NaN;
}

async function reservationOf(orderId: string): Promise<{ state: string } | undefined> {
  const found = await database.query<{ state: string }>('SELECT state FROM reservations WHERE order_id = $1', [
    orderId,
  ]);
  return found.rows[0];
}

describe('holding stock', () => {
  test('takes all lines, with the names and prices of the moment', async () => {
    const [pencils, books] = [await availableOf(PENCIL), await availableOf(BOOK)];
    const order = newOrder([
      { itemId: BOOK, quantity: 2 },
      { itemId: PENCIL, quantity: 3 },
    ]);
    expect(await holdStock(database, order)).toEqual({
      held: true,
      lines: [
        { itemId: BOOK, name: 'Book', quantity: 2, unitAmountMinor: 500, currency: 'USD' },
        { itemId: PENCIL, name: 'Pencil', quantity: 3, unitAmountMinor: 100, currency: 'USD' },
      ],
    });
    expect([await availableOf(PENCIL), await availableOf(BOOK)]).toEqual([pencils - 3, books - 2]);
  });

  test('asked again by the same run, it takes nothing more and gives the same lines', async () => {
    const order = newOrder();
    const first = await holdStock(database, order);
    const before = await availableOf(PENCIL);
    expect(await holdStock(database, order)).toEqual(first);
    expect(await availableOf(PENCIL)).toBe(before);
  });

  test('at once and again, it takes once', async () => {
    const order = newOrder();
    const before = await availableOf(PENCIL);
    await Promise.all(Array.from({ length: 8 }, () => holdStock(database, order)));
    expect(await availableOf(PENCIL)).toBe(before - 3);
  });

  test('takes nothing if one line is short, and says what is there', async () => {
    const [pencils, books] = [await availableOf(PENCIL), await availableOf(BOOK)];
    const order = newOrder([
      { itemId: PENCIL, quantity: 1 },
      { itemId: BOOK, quantity: 10_000 },
    ]);
    expect(await holdStock(database, order)).toEqual({
      held: false,
      refusal: { reason: 'outOfStock', shortages: [{ itemId: BOOK, wanted: 10_000, available: books }] },
    });
    expect([await availableOf(PENCIL), await availableOf(BOOK)]).toEqual([pencils, books]);
    expect(await reservationOf(order.orderId), 'a refused order leaves no trace').toBeUndefined();
  });

  test('names every unknown item', async () => {
    const lines = [PENCIL, 'nothing', 'nowhere'].map((itemId) => ({ itemId, quantity: 1 }));
    expect(await holdStock(database, newOrder(lines))).toEqual({
      held: false,
      refusal: { reason: 'unknownItem', itemIds: ['nothing', 'nowhere'] },
    });
  });

  test('refuses an order of two currencies', async () => {
    await database.query(
      `INSERT INTO items (item_id, name, unit_amount_minor, currency, initial, available) VALUES ('yen', 'Brush', 300, 'JPY', 5, 5)`,
    );
    const lines = [PENCIL, 'yen'].map((itemId) => ({ itemId, quantity: 1 }));
    expect(await holdStock(database, newOrder(lines))).toEqual({
      held: false,
      refusal: { reason: 'mixedCurrencies', currencies: ['JPY', 'USD'] },
    });
  });

  test('refuses an order id that another run owns, and leaves its hold alone', async () => {
    const order = newOrder();
    await holdStock(database, order);
    const before = await availableOf(PENCIL);
    expect(await holdStock(database, { ...order, runId: 'run-2' })).toEqual({
      held: false,
      refusal: { reason: 'orderExists' },
    });
    expect(await availableOf(PENCIL)).toBe(before);
  });

  test('takes over what a refused run gave back and nobody made an order of', async () => {
    const order = newOrder();
    const before = await availableOf(PENCIL);
    await holdStock(database, order);
    await giveBackStock(database, order);
    const later = { ...order, runId: 'run-2', lines: [{ itemId: BOOK, quantity: 1 }] };
    expect(await holdStock(database, later)).toMatchObject({ held: true, lines: [{ itemId: BOOK }] });
    await expect(holdStock(database, order)).resolves.toMatchObject({ refusal: { reason: 'orderExists' } });
    await giveBackStock(database, later);
    expect(await availableOf(PENCIL), 'the first lines are not given back again').toBe(before);
  });

  test('of the same items in another order, many at once, never waits in a circle', async () => {
    const lines = [
      { itemId: PENCIL, quantity: 1 },
      { itemId: BOOK, quantity: 1 },
    ];
    const [pencils, books] = [await availableOf(PENCIL), await availableOf(BOOK)];
    const holds = Array.from({ length: 16 }, (_, n) => newOrder(n % 2 === 0 ? lines : lines.toReversed()));
    await Promise.all(holds.map((order) => holdStock(database, order)));
    await Promise.all(holds.map((order) => giveBackStock(database, order)));
    expect([await availableOf(PENCIL), await availableOf(BOOK)]).toEqual([pencils, books]);
  });
});

describe('giving stock back', () => {
  test('twice is once, also at once', async () => {
    const order = newOrder();
    const before = await availableOf(PENCIL);
    await holdStock(database, order);
    await Promise.all([giveBackStock(database, order), giveBackStock(database, order)]);
    await giveBackStock(database, order);
    expect(await availableOf(PENCIL)).toBe(before);
    expect(await reservationOf(order.orderId)).toEqual({ state: 'released' });
  });

  test('without a hold gives nothing, and a hold that comes after it is refused', async () => {
    const order = newOrder();
    const before = await availableOf(PENCIL);
    await giveBackStock(database, order);
    await expect(holdStock(database, order)).rejects.toThrow(ReservationReleasedError);
    expect(await availableOf(PENCIL)).toBe(before);
  });

  test('against a hold under way, in either order, leaves nothing held', async () => {
    const before = await availableOf(PENCIL);
    for (let round = 0; round < 10; round += 1) {
      const order = newOrder();
      await Promise.allSettled([holdStock(database, order), giveBackStock(database, order)]);
      await giveBackStock(database, order);
      expect(await availableOf(PENCIL)).toBe(before);
    }
  });

  test('by another run gives nothing back', async () => {
    const order = newOrder();
    await holdStock(database, order);
    const before = await availableOf(PENCIL);
    await giveBackStock(database, { ...order, runId: 'run-2' });
    expect(await availableOf(PENCIL)).toBe(before);
    expect(await reservationOf(order.orderId)).toEqual({ state: 'held' });
  });
});

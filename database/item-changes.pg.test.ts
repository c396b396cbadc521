import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../dev/stack/test-database.ts';
import { createDatabase, type Database, inTransaction } from './database.ts';
import { changeStock, insertItem, listItemChanges, MAX_STOCK, type NewItem, updateItem } from './item-changes.ts';
import { findItem, listCountedItems, listItems, listItemsOnSale } from './items.ts';
import { holdStock } from './stock.ts';

const PEN: NewItem = { itemId: 'pen', name: 'Pen', unitAmountMinor: 150, currency: 'EUR', onSale: true, available: 10 };
const AUTHOR = { by: 'Ada', reason: 'Counted.' };
const anything = () => undefined;

let testDatabase: TestDatabase;
let database: Database;
beforeAll(async () => {
  testDatabase = await createTestDatabase(inject('databaseUrl'));
  database = createDatabase({ url: testDatabase.url, poolSize: 10, name: 'test' });
});
afterAll(async () => {
  await database.end();
  await testDatabase.drop();
});

let items = 0;
async function newItem(changes: Partial<NewItem> = {}): Promise<string> {
  items += 1;
  const itemId = `pen-${items}`;
  await insertItem(database, { ...PEN, itemId, ...changes }, AUTHOR);
  return itemId;
}

let orders = 0;
async function hold(itemId: string, quantity: number, orderId = (++orders).toString(16).padStart(24, '0')) {
  return holdStock(database, { orderId, runId: 'run', lines: [{ itemId, quantity }] });
}

describe('a new item', () => {
  test('has its stock at the start, and a change without old values', async () => {
    const itemId = await newItem();
    expect(await findItem(database, itemId)).toEqual({ ...PEN, itemId, initial: 10, restocked: 0, held: 0 });
    const { itemId: _, ...values } = PEN;
    expect(await listItemChanges(database, itemId, 10)).toEqual([
      { at: expect.any(Date), by: 'Ada', reason: 'Counted.', oldValues: null, newValues: values },
    ]);
  });

  test('that is there already changes nothing', async () => {
    const itemId = await newItem();
    expect(await insertItem(database, { ...PEN, itemId, name: 'Another' }, AUTHOR)).toBeUndefined();
    expect(await findItem(database, itemId)).toMatchObject({ name: 'Pen' });
    expect(await listItemChanges(database, itemId, 10)).toHaveLength(1);
  });
});

describe('a change of an item', () => {
  test('writes what was, what is, who and why', async () => {
    const itemId = await newItem();
    const changed = await updateItem(database, itemId, { name: 'Biro', onSale: false }, { by: 'Bob' }, anything);
    expect(changed).toMatchObject({ name: 'Biro', onSale: false, unitAmountMinor: 150 });
    expect((await listItemChanges(database, itemId, 1))[0]).toMatchObject({
      by: 'Bob',
      reason: null,
      oldValues: { name: 'Pen', onSale: true },
      newValues: { name: 'Biro', onSale: false },
    });
  });

  test('to what it is leaves no row', async () => {
    const itemId = await newItem();
    await updateItem(database, itemId, { name: 'Pen', unitAmountMinor: 150, onSale: true }, AUTHOR, anything);
    expect(await listItemChanges(database, itemId, 10)).toHaveLength(1);
  });

  test('that is refused leaves the item as it is', async () => {
    const itemId = await newItem();
    const refuse = () => {
      throw new Error('refused');
    };
    await expect(updateItem(database, itemId, { name: 'Biro' }, AUTHOR, refuse)).rejects.toThrow('refused');
    expect(await findItem(database, itemId)).toMatchObject({ name: 'Pen' });
  });

  test('of an unknown item is undefined', async () => {
    expect(await updateItem(database, 'nothing', { name: 'Biro' }, AUTHOR, anything)).toBeUndefined();
    expect(await changeStock(database, 'nothing', 1, AUTHOR)).toBeUndefined();
  });
});

describe('stock', () => {
  test('comes in, and is taken out below what was there at the start', async () => {
    const itemId = await newItem();
    await hold(itemId, 3);
    expect(await changeStock(database, itemId, 5, AUTHOR)).toMatchObject({ item: { available: 12, restocked: 5 } });
    const out = await changeStock(database, itemId, -12, { by: 'Bob', reason: 'Water damage.' });
    expect(out).toMatchObject({ outcome: 'changed', item: { available: 0, restocked: -7, held: 3, initial: 10 } });
    expect((await listItemChanges(database, itemId, 1))[0]).toMatchObject({
      by: 'Bob',
      reason: 'Water damage.',
      oldValues: { available: 12 },
      newValues: { available: 0 },
    });
  });

  test('that orders hold is not taken out, and the answer has what is there', async () => {
    const itemId = await newItem();
    await hold(itemId, 4);
    const refused = await changeStock(database, itemId, -7, AUTHOR);
    expect(refused).toMatchObject({ outcome: 'tooFew', item: { available: 6, held: 4 } });
    expect(await findItem(database, itemId)).toMatchObject({ available: 6, restocked: 0 });
    expect(await listItemChanges(database, itemId, 10)).toHaveLength(1);
  });

  test('is looked at behind the lock of an order that takes some at this moment', async () => {
    const itemId = await newItem();
    const change = await inTransaction(database, async (connection) => {
      await connection.query(
        'UPDATE items SET available = available - 8, restocked = restocked - 8 WHERE item_id = $1',
        [itemId],
      );
      const changed = changeStock(database, itemId, -5, AUTHOR);
      await vi.waitFor(async () => {
        const waiting = await connection.query('SELECT FROM pg_locks WHERE NOT granted');
        expect(waiting.rowCount).toBeGreaterThan(0);
      }, 5_000);
      return { changed };
    });
    expect(await change.changed).toMatchObject({ outcome: 'tooFew', item: { available: 2 } });
  });

  test('has a bound, far below what PostgreSQL can count', async () => {
    const itemId = await newItem();
    expect(await changeStock(database, itemId, MAX_STOCK - 10, AUTHOR)).toMatchObject({ outcome: 'changed' });
    expect(await changeStock(database, itemId, 1, AUTHOR)).toMatchObject({ outcome: 'tooMany' });
  });

  test('adds up after many changes and orders at once, and each change is a row', async () => {
    const itemId = await newItem();
    const work = Array.from({ length: 60 }, (_, index) =>
      index % 3 === 0 ? hold(itemId, 1) : changeStock(database, itemId, index % 2 === 0 ? -2 : 3, AUTHOR),
    );
    await Promise.all(work);
    const item = (await listCountedItems(database)).find((counted) => counted.itemId === itemId)!;
    expect(item.initial + item.restocked).toBe(item.available + item.held);
    expect(item).toEqual((await listItems(database)).find((listed) => listed.itemId === itemId));
    const changes = (await listItemChanges(database, itemId, 100)).toReversed().slice(1);
    const sum = changes.reduce((total, { oldValues, newValues }) => {
      return total + Number(newValues['available']) - Number(oldValues?.['available']);
    }, 0);
    expect(sum).toBe(item.restocked);
    expect(changes.length).toBeGreaterThan(20);
  });
});

describe('an item that is not on sale', () => {
  test('is not listed for customers, and refused to an order, together with what is unknown', async () => {
    const itemId = await newItem({ onSale: false });
    const onSale = (await listItemsOnSale(database)).map((item) => item.itemId);
    expect(onSale).toContain('prod_SNjQpQjNC8QuaD');
    expect(onSale).not.toContain(itemId);
    expect((await listItems(database)).map((item) => item.itemId)).toContain(itemId);
    expect(await hold(itemId, 1)).toEqual({
      held: false,
      refusal: { reason: 'unknownItem', itemIds: [itemId], offSaleIds: [itemId] },
    });
    expect(await findItem(database, itemId)).toMatchObject({ available: 10 });
  });

  test('is there for an order that held it before, with a hold that is asked for again', async () => {
    const itemId = await newItem();
    const held = await hold(itemId, 1, 'f'.repeat(24));
    await updateItem(database, itemId, { onSale: false }, AUTHOR, anything);
    expect(await hold(itemId, 1, 'f'.repeat(24))).toEqual(held);
    expect(await findItem(database, itemId)).toMatchObject({ available: 9, held: 1 });
  });
});

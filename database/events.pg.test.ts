import { runner } from 'node-pg-migrate';
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../dev/stack/test-database.ts';
import { createDatabase, type Database, inTransaction, type Queryable } from './database.ts';
import { type FeedEvent, listEvents, NUMBERING_LOCK } from './events.ts';
import { migrate } from './migrate.ts';
import { appendTimelineEntry, insertOrder } from './orders.ts';

let testDatabase: TestDatabase;
let database: Database;
beforeEach(async () => {
  testDatabase = await createTestDatabase(inject('databaseUrl'));
  database = createDatabase({ url: testDatabase.url, poolSize: 12, name: 'test' });
});
afterEach(async () => {
  await database.end();
  await testDatabase.drop();
});

const idOf = (n: number) => n.toString(16).padStart(24, '0');

/** Writes an order, and `notes` more entries of its timeline. */
async function writeOrder(n: number, notes = 0, connection: Queryable = database): Promise<void> {
  const orderId = idOf(n);
  await insertOrder(connection as Database, {
    orderId,
    customerId: `customer-${n}`,
    runId: 'run',
    requestHash: 'hash',
    traceId: 'trace',
    lines: [{ itemId: 'pencil', name: 'Pencil', quantity: 1, unitAmountMinor: 100, currency: 'USD' }],
    detail: 'Made.',
  });
  for (let note = 1; note <= notes; note += 1) await writeNote(n, note, connection);
}

async function writeNote(n: number, note: number, connection: Queryable = database): Promise<void> {
  const entry = { orderId: idOf(n), source: `note:${note}`, event: 'note', detail: `Note ${note}.` };
  await appendTimelineEntry(connection as Database, {
    ...entry,
    data: { by: entry.detail },
  });
}

/** Reads on from where it was, as another system does. */
function createReader(limit = 7) {
  const events: FeedEvent[] = [];
  return {
    events,
    readOn: async () => {
      for (;;) {
        const page = await listEvents(database, { after: events.at(-1)?.eventId ?? 0, limit });
        events.push(...page);
        if (page.length < limit) return;
      }
    },
  };
}

async function expectComplete(events: readonly FeedEvent[]): Promise<void> {
  expect(events.map(({ eventId }) => eventId)).toEqual(events.map((_event, index) => index + 1));
  const { rows } = await database.query<{ orderId: string; seq: number }>(
    'SELECT order_id AS "orderId", seq FROM order_timeline ORDER BY 1, 2',
  );
  const nameOf = ({ orderId, seq }: { orderId: string; seq: number }) => `${orderId}:${String(seq).padStart(5, '0')}`;
  expect(events.map(nameOf).toSorted()).toEqual(rows.map(nameOf));
  const seqs = new Map<string, number>();
  for (const { orderId, seq } of events) {
    expect(seq).toBe((seqs.get(orderId) ?? 0) + 1);
    seqs.set(orderId, seq);
  }
}

describe('the feed of events', () => {
  test('has every entry once, as it stands on its timeline', async () => {
    await writeOrder(1, 2);
    const [first, ...others] = await listEvents(database, { after: 0, limit: 10 });
    expect(first).toEqual({
      eventId: 1,
      at: expect.any(Date),
      orderId: idOf(1),
      customerId: 'customer-1',
      status: 'PENDING',
      seq: 1,
      event: 'order.created',
      detail: 'Made.',
      data: {},
    });
    expect(others).toMatchObject([
      { eventId: 2, seq: 2, data: { by: 'Note 1.' } },
      { eventId: 3, seq: 3 },
    ]);
    expect(await listEvents(database, { after: 3, limit: 10 })).toEqual([]);
    expect(await listEvents(database, { after: 1, limit: 1 })).toMatchObject([{ eventId: 2 }]);
  });

  test('misses no entry of a transaction that began before others and commits after them', async () => {
    const reader = createReader();
    await writeOrder(1);
    await inTransaction(database, async (connection) => {
      await writeNote(1, 1, connection);
      await writeOrder(2, 3);
      await reader.readOn();
      expect(reader.events).toHaveLength(5);
    });
    await writeOrder(3);
    await reader.readOn();
    expect(reader.events.at(-2)).toMatchObject({ orderId: idOf(1), seq: 2 });
    await expectComplete(reader.events);
  });

  test('leaves no gap for what is rolled back', async () => {
    const reader = createReader();
    await writeOrder(1);
    const rolledBack = inTransaction(database, async (connection) => {
      await writeNote(1, 1, connection);
      await reader.readOn();
      throw new Error('rolled back');
    });
    await expect(rolledBack).rejects.toThrow('rolled back');
    await writeNote(1, 2);
    await reader.readOn();
    await expectComplete(reader.events);
  });

  test('follows the timeline of an order though a clock was set back', async () => {
    await writeOrder(1, 3);
    await writeOrder(2, 1);
    await database.query(
      `UPDATE order_timeline SET at = at - seq * interval '1 hour' WHERE order_id = $1 AND seq IN (2, 4)`,
      [idOf(1)],
    );
    const reader = createReader();
    await reader.readOn();
    expect(reader.events).toHaveLength(6);
    await expectComplete(reader.events);
  });

  test('is numbered by one reader at a time', async () => {
    await writeOrder(1);
    const reading = await inTransaction(database, async (connection) => {
      await connection.query('SELECT pg_advisory_xact_lock($1)', [NUMBERING_LOCK]);
      const listed = listEvents(database, { after: 0, limit: 10 });
      await vi.waitFor(async () => {
        const waiting = await connection.query("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
        expect(waiting.rowCount).toBe(1);
      }, 5_000);
      return { listed };
    });
    expect(await reading.listed).toHaveLength(1);
  });

  test('is the same for readers that follow it while many write at once', async () => {
    const readers = [createReader(1), createReader(5), createReader(100)];
    const writers = { areDone: false };
    const reading = readers.map(async (reader) => {
      while (!writers.areDone) await reader.readOn();
      await reader.readOn();
    });
    await Promise.all(Array.from({ length: 40 }, (_, n) => writeOrder(n, n % 5)));
    await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        inTransaction(database, async (connection) => {
          await writeOrder(100 + n, 2, connection);
          await connection.query('SELECT pg_sleep($1)', [(n % 4) / 100]);
        }),
      ),
    );
    writers.areDone = true;
    await Promise.all(reading);
    for (const { events } of readers) expect(events).toEqual(readers[0]!.events);
    await expectComplete(readers[0]!.events);
    expect(readers[0]!.events.length).toBeGreaterThan(150);
  });
});

test('entries that are there when the feed is added are numbered then', async () => {
  await writeOrder(1, 2);
  await writeOrder(2, 1);
  await writeNote(1, 9);
  const before = await listEvents(database, { after: 0, limit: 100 });
  const dir = new URL('migrations', import.meta.url).pathname;
  const { rows } = await database.query<{ count: number }>(
    "SELECT count(*)::int FROM schema_migrations WHERE name >= '0007'",
  );
  const options = { databaseUrl: testDatabase.url, dir, migrationsTable: 'schema_migrations', log: () => {} };
  await runner({ ...options, direction: 'down', count: rows[0]?.count ?? 0 });
  await migrate(testDatabase.url);
  const { rows: left } = await database.query('SELECT FROM order_timeline WHERE event_id IS NULL');
  expect(left).toEqual([]);
  const after = await listEvents(database, { after: 0, limit: 100 });
  await expectComplete(after);
  expect(after).toHaveLength(before.length);
});

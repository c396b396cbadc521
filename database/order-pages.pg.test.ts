import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../dev/stack/test-database.ts';
import { createDatabase, type Database } from './database.ts';
import { listOrders, type OrderFilter, orderPageStatement, type OrderPosition } from './order-pages.ts';

let testDatabase: TestDatabase;
let database: Database;
beforeAll(async () => {
  testDatabase = await createTestDatabase(inject('databaseUrl'));
  database = createDatabase({ url: testDatabase.url, poolSize: 2, name: 'test' });
});
afterAll(async () => {
  await database.end();
  await testDatabase.drop();
});

const START = '2026-01-01T00:00:00Z';

/**
 * Adds orders in one statement, number n made n steps after the start. One in a hundred is of the customer `rare`, and
 * three in a thousand are PAID.
 */
async function addOrders(count: number, { first = 0, stepUs = 1_000_000 } = {}): Promise<void> {
  await database.query(
    `INSERT INTO orders (order_id, customer_id, status, seq, total_amount_minor, currency, request_hash, trace_id, run_id,
        checkout_session_id, payment_intent_id, tracking_number, created_at)
      SELECT lpad(to_hex(n), 24, '0'), CASE WHEN n % 100 = 0 THEN 'rare' ELSE 'customer-' || n % 5000 END,
        CASE WHEN n % 1000 < 3 THEN 'PAID' WHEN n % 7 = 0 THEN 'EXPIRED' ELSE 'FINISHED' END,
        1, 100, 'USD', 'hash', 'trace', 'run', 'cs_' || n, 'pi_' || n, 'track-' || n,
        $3::timestamptz + n * $4::bigint * interval '1 microsecond'
      FROM generate_series($1::integer, $2::integer) AS n`,
    [first, first + count - 1, START, stepUs],
  );
}

/** Reads all pages; `between` runs after each. */
async function readAll(filter: OrderFilter, limit: number, between = async () => {}): Promise<string[]> {
  const ids: string[] = [];
  let after: OrderPosition | undefined;
  do {
    const { orders, next } = await listOrders(database, filter, { limit, after });
    ids.push(...orders.map(({ orderId }) => orderId));
    after = next;
    await between();
  } while (after !== undefined);
  return ids;
}

describe('pages of orders', () => {
  test('have each order once, the newest first, though some were made in the same microsecond', async () => {
    await addOrders(10, { stepUs: 0 });
    await addOrders(10, { first: 10, stepUs: 1 });
    const ids = await readAll({}, 3);
    const { rows } = await database.query<{ order_id: string }>(
      'SELECT order_id FROM orders ORDER BY created_at DESC, order_id DESC',
    );
    expect(ids).toEqual(rows.map(({ order_id }) => order_id));
    expect(ids).toHaveLength(20);
  });

  test('are the same while orders come in', async () => {
    const before = await readAll({}, 100);
    let first = 1000;
    const during = await readAll({}, 4, async () => {
      await addOrders(3, { first });
      first += 3;
    });
    expect(during).toEqual(before);
    expect(await readAll({}, 100)).not.toEqual(before);
  });

  test('say that there is no next one if the last one is full', async () => {
    const { orders, next } = await listOrders(database, { customerId: 'rare' }, { limit: 1 });
    expect([orders.length, next !== undefined]).toEqual([1, true]);
    const all = await readAll({ customerId: 'rare' }, 100);
    expect(await listOrders(database, { customerId: 'rare' }, { limit: all.length })).toMatchObject({
      next: undefined,
    });
  });
});

describe('over 100,000 orders', () => {
  beforeAll(async () => {
    await database.query('TRUNCATE orders CASCADE');
    // Each statement has eight seconds.
    for (let first = 0; first < 100_000; first += 20_000) await addOrders(20_000, { first });
    await database.query('ANALYZE orders');
  });

  const middle: OrderPosition = { createdAt: '2026-01-01T13:53:20.000000Z', orderId: '0'.repeat(24) };
  const [createdFrom, createdTo] = [new Date('2026-01-01T10:00:00Z'), new Date('2026-01-01T10:05:00Z')];
  const filters: readonly [name: string, filter: OrderFilter][] = [
    ['nothing', {}],
    ['order', { orderId: '0'.repeat(24) }],
    ['customer', { customerId: 'rare' }],
    ['rare status', { status: 'PAID' }],
    ['frequent status', { status: 'FINISHED' }],
    ['absent status', { status: 'CANCELLED' }],
    ['payment intent', { paymentIntentId: 'pi_5' }],
    ['checkout session', { checkoutSessionId: 'cs_5' }],
    ['tracking number', { trackingNumber: 'track-5' }],
    ['first moment', { createdFrom }],
    ['last moment', { createdTo }],
    ['span of time', { createdFrom, createdTo }],
    ['customer and status', { customerId: 'rare', status: 'EXPIRED' }],
    ['customer and an absent status', { customerId: 'rare', status: 'CANCELLED' }],
    ['status and a span of time', { status: 'PAID', createdFrom, createdTo }],
    ['customer and a span of time', { customerId: 'rare', createdFrom, createdTo }],
  ];
  type Plan = { readonly [key: string]: unknown; readonly Plans?: readonly Plan[] };
  const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

  test.each(
    filters.flatMap(([name, filter]) => [
      { name, filter, after: undefined },
      { name, filter, after: middle },
    ]),
  )('a page by $name (after $after.createdAt) reads an index and few rows', async ({ filter, after }) => {
    const { text, values } = orderPageStatement(filter, { limit: 100, after });
    const { rows } = await database.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>({
      text: `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`,
      values,
    });
    const nodes = nodesOf(rows[0]!['QUERY PLAN'][0].Plan);
    expect(nodes.map((node) => node['Node Type'])).not.toContain('Seq Scan');
    expect(nodes.map((node) => node['Node Type']).join()).toContain('Index');
    // What is read and thrown away grows with the table; a filter that had no index would show here.
    const removed = nodes.reduce((sum, node) => sum + Number(node['Rows Removed by Filter'] ?? 0), 0);
    expect(removed).toBeLessThan(2_000);
  });
});

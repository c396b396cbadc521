import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { OrderLimits } from '../contracts/messages.ts';
import { createTestDatabase, type TestDatabase } from '../dev/stack/test-database.ts';
import { createDatabase, type Database } from './database.ts';
import { appendTimelineEntry, insertOrder } from './orders.ts';
import { giveBackStock, holdStock } from './stock.ts';

const PENCIL = 'prod_SNjRcpjxpiazxk';
const BOOK = 'prod_SNjQpQjNC8QuaD';
const FIVE: OrderLimits = { customer: { maxOrders: 5 } };

let testDatabase: TestDatabase;
let database: Database;
/** As a second process has it. */
let other: Database;
let orders = 0;
let customers = 0;
beforeAll(async () => {
  testDatabase = await createTestDatabase(inject('databaseUrl'));
  const options = { url: testDatabase.url, poolSize: 15, name: 'test' };
  [database, other] = [createDatabase(options), createDatabase(options)];
  await database.query('UPDATE items SET initial = 100000, available = 100000');
});
afterAll(async () => {
  await Promise.all([database.end(), other.end()]);
  await testDatabase.drop();
});

function aCustomer(): string {
  customers += 1;
  return `customer-${customers}`;
}

function newOrder(customerId: string, limits: OrderLimits = FIVE, lines = [{ itemId: PENCIL, quantity: 1 }]) {
  orders += 1;
  return { orderId: orders.toString(16).padStart(24, '0'), runId: 'run-1', customerId, lines, limits };
}

async function hold(order: ReturnType<typeof newOrder>, on = database) {
  const result = await holdStock(on, order);
  return result.held ? 'held' : result.refusal;
}

/** Writes the order's row, as the workflow does once the stock is held. */
async function makeOrder(order: ReturnType<typeof newOrder>) {
  const result = await holdStock(database, order);
  if (!result.held) throw new Error(`refused: ${result.refusal.reason}`);
  const { orderId, runId, customerId } = order;
  const { lines } = result;
  await insertOrder(database, { orderId, runId, customerId, lines, requestHash: '', traceId: '', detail: '' });
}

async function becomes(orderId: string, from: 'PENDING' | 'WAITING_FOR_PAYMENT', to: 'WAITING_FOR_PAYMENT' | 'PAID') {
  const entry = { orderId, source: to, event: to, detail: '', transition: { from, to } };
  await appendTimelineEntry(database, entry);
}

describe('unpaid orders of one customer', () => {
  test('fifty at once by two processes make exactly five', async () => {
    const customer = aCustomer();
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, index) => hold(newOrder(customer), index % 2 === 0 ? database : other)),
    );
    expect(results.filter((result) => result === 'held')).toHaveLength(5);
    const refused = results.filter((result) => result !== 'held');
    expect(refused).toHaveLength(45);
    for (const refusal of refused) expect(refusal).toMatchObject({ reason: 'tooManyOrders', of: 'customer' });
  });

  test('say which orders are in the way, and leave no trace of the one too many', async () => {
    const customer = aCustomer();
    const first = newOrder(customer, { customer: { maxOrders: 2 } }, [{ itemId: BOOK, quantity: 3 }]);
    const second = newOrder(customer, { customer: { maxOrders: 2 } });
    const third = newOrder(customer, { customer: { maxOrders: 2 } });
    expect([await hold(first), await hold(second)]).toEqual(['held', 'held']);
    expect(await hold(third)).toEqual({
      reason: 'tooManyOrders',
      of: 'customer',
      limit: { maxOrders: 2 },
      open: { orders: 2, pieces: 4 },
      wantedPieces: 1,
      orderIds: [first.orderId, second.orderId],
    });
    const trace = await database.query('SELECT FROM reservations WHERE order_id = $1', [third.orderId]);
    expect(trace.rowCount).toBe(0);
  });

  test('count until they are paid or given back, and never again', async () => {
    const customer = aCustomer();
    const limits = { customer: { maxOrders: 1 } };
    const paid = newOrder(customer, limits);
    await makeOrder(paid);
    expect(await hold(newOrder(customer, limits)), 'PENDING').not.toBe('held');
    await becomes(paid.orderId, 'PENDING', 'WAITING_FOR_PAYMENT');
    expect(await hold(newOrder(customer, limits)), 'WAITING_FOR_PAYMENT').not.toBe('held');
    await becomes(paid.orderId, 'WAITING_FOR_PAYMENT', 'PAID');

    const cancelled = newOrder(customer, limits);
    expect(await hold(cancelled), 'after PAID').toBe('held');
    expect(await hold(newOrder(customer, limits))).not.toBe('held');
    await giveBackStock(database, cancelled);
    expect(await hold(newOrder(customer, limits)), 'after the give-back').toBe('held');
  });

  test('are of this customer alone', async () => {
    const limits = { customer: { maxOrders: 1 } };
    expect(await hold(newOrder(aCustomer(), limits))).toBe('held');
    expect(await hold(newOrder(aCustomer(), limits))).toBe('held');
  });

  test('that were made before there was a limit count too', async () => {
    const customer = aCustomer();
    const { limits: _none, ...order } = newOrder(customer);
    expect(await holdStock(database, order)).toMatchObject({ held: true });
    expect(await hold(newOrder(customer, { customer: { maxOrders: 1 } }))).not.toBe('held');
  });

  test('do not refuse an attempt of the same order that comes again', async () => {
    const order = newOrder(aCustomer(), { customer: { maxOrders: 1 } });
    expect([await hold(order), await hold(order, other)]).toEqual(['held', 'held']);
  });

  test('hold no more pieces than allowed, those of the new order with them', async () => {
    const customer = aCustomer();
    const limits = { customer: { maxPieces: 10 } };
    expect(await hold(newOrder(customer, limits, [{ itemId: PENCIL, quantity: 7 }]))).toBe('held');
    expect(await hold(newOrder(customer, limits, [{ itemId: BOOK, quantity: 4 }]))).toMatchObject({
      limit: { maxPieces: 10 },
      open: { orders: 1, pieces: 7 },
      wantedPieces: 4,
    });
    expect(await hold(newOrder(customer, limits, [{ itemId: BOOK, quantity: 3 }]))).toBe('held');
  });
});

describe('unpaid orders of one address', () => {
  const from = (hash: string): OrderLimits => ({ customer: { maxOrders: 100 }, address: { hash, maxOrders: 3 } });

  test('count whoever the customers say that they are, and at once', async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        hold(newOrder(aCustomer(), from('one')), index % 2 === 0 ? database : other),
      ),
    );
    expect(results.filter((result) => result === 'held')).toHaveLength(3);
    expect(await hold(newOrder(aCustomer(), from('another')))).toBe('held');
  });

  test("name no other customer's orders", async () => {
    const mine = newOrder('mine', from('shared'));
    await hold(mine);
    await hold(newOrder('others', from('shared')));
    await hold(newOrder('others', from('shared')));
    expect(await hold(newOrder('mine', from('shared')))).toMatchObject({
      of: 'address',
      open: { orders: 3 },
      orderIds: [mine.orderId],
    });
  });
});

test('an index finds what is open, however many orders the customer has paid', async () => {
  const connection = await database.connect();
  try {
    await connection.query('BEGIN');
    await connection.query(`
      INSERT INTO reservations (order_id, run_id, state, customer_id, address_hash, awaits_payment)
      SELECT lpad(to_hex(n + 1048576), 24, '0'), 'run', 'held', 'regular', 'home', false FROM generate_series(1, 20000) n
      UNION ALL
      SELECT lpad(to_hex(n + 2097152), 24, '0'), 'run', 'held', 'c' || n, 'a' || n, true FROM generate_series(1, 2000) n`);
    await connection.query('ANALYZE reservations');
    // Either of the two will do, and costs the same here: both have only what is unpaid.
    for (const [column, value] of [
      ['customer_id', 'regular'],
      ['address_hash', 'home'],
    ] as const) {
      const plan = await connection.query<{ 'QUERY PLAN': string }>(
        `EXPLAIN SELECT order_id FROM reservations
         WHERE ${column} = '${value}' AND state = 'held' AND awaits_payment`,
      );
      expect(plan.rows.map((row) => row['QUERY PLAN']).join('\n')).toContain('Index Scan on reservations_unpaid_by_');
    }
  } finally {
    await connection.query('ROLLBACK');
    connection.release();
  }
});

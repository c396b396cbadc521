import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../dev/stack/test-database.ts';
import type { OrderStatus } from '../domain/order-status.ts';
import { createDatabase, type Database } from './database.ts';
import { countOrdersSince, findOrderIdByAnything, listMatters, listSlowOrders } from './desk.ts';

let testDatabase: TestDatabase;
let database: Database;
let orders = 0;
beforeEach(async () => {
  testDatabase = await createTestDatabase(inject('databaseUrl'));
  database = createDatabase({ url: testDatabase.url, poolSize: 2, name: 'test' });
});
afterEach(async () => {
  await database.end();
  await testDatabase.drop();
});

type Entry = readonly [event: string, source?: string, age?: string];

/** An order with a timeline; ages are PostgreSQL's intervals. */
async function addOrder(status: OrderStatus, timeline: readonly Entry[] = [], age = '1 minute'): Promise<string> {
  orders += 1;
  const orderId = orders.toString(16).padStart(24, '0');
  await database.query(
    `INSERT INTO orders (order_id, customer_id, status, seq, total_amount_minor, currency, request_hash, trace_id, run_id,
        checkout_session_id, payment_intent_id, tracking_number, kept_amount_minor, created_at, updated_at)
      VALUES ($1, 'customer-1', $2, 1, 100, 'USD', 'hash', 'trace-' || $1, 'run', 'cs_' || $1, 'pi_' || $1, 'track-' || $1,
        100, now() - $3::interval, now() - $3::interval)`,
    [orderId, status, age],
  );
  for (const [index, [event, source = event, entryAge = age]] of timeline.entries()) {
    await database.query(
      `INSERT INTO order_timeline (order_id, seq, status, event, detail, source, at)
        VALUES ($1, $2, $3, $4, $4, $5, now() - $6::interval)`,
      [orderId, index + 1, status, event, source, entryAge],
    );
  }
  return orderId;
}

describe('what waits for a person', () => {
  test.each<[OrderStatus, readonly Entry[], readonly string[]]>([
    ['FINISHED', [['payment.disputed', 'dispute:du_1']], ['payment.disputed']],
    [
      'FINISHED',
      [
        ['payment.disputed', 'dispute:du_1'],
        ['dispute.closed', 'dispute:du_1:closed'],
      ],
      [],
    ],
    [
      'FINISHED',
      [
        ['payment.disputed', 'dispute:du_1'],
        ['dispute.closed', 'dispute:du_1:closed'],
        ['payment.disputed', 'dispute:du_2'],
      ],
      ['payment.disputed'],
    ],
    ['PAID', [['payment.in_review', 'review:prv_1']], ['payment.in_review']],
    [
      'PAID',
      [
        ['payment.in_review', 'review:prv_1'],
        ['payment.reviewed', 'review:prv_1:closed'],
      ],
      [],
    ],
    ['PAID', [['fulfillment.held', 'fulfillment.held:disputed']], ['fulfillment.held']],
    ['PAID', [['fulfillment.held', 'fulfillment.held:disputed'], ['fulfillment.released']], []],
    [
      'PAID',
      [['fulfillment.held', 'held:1'], ['fulfillment.released'], ['fulfillment.held', 'held:2']],
      ['fulfillment.held'],
    ],
    ['FINISHED', [['fulfillment.held', 'fulfillment.held:disputed']], []],
    ['PAID', [['fulfillment.delayed']], ['fulfillment.delayed']],
    ['FINISHED', [['fulfillment.delayed']], []],
    ['PAID', [['refund.delayed', 'refund.delayed:pi_1']], ['refund.delayed']],
    ['REFUNDED', [['refund.delayed', 'refund.delayed:pi_1'], ['order.refunded']], []],
    ['EXPIRED', [['refund.delayed', 'refund.delayed:pi_2'], ['payment.returned']], []],
    ['REFUNDED', [['refund.failed', 'refund:re_1:failed', '29 days']], ['refund.failed']],
    ['REFUNDED', [['refund.failed', 'refund:re_1:failed', '31 days']], []],
    ['FINISHED', [['payment.fraud_warning', 'fraud_warning:1']], ['payment.fraud_warning']],
    ['PAID', [['payment.fraud_warning', 'fraud_warning:1']], []],
    ['FINISHED', [['order.paid'], ['order.finished'], ['payment.refunded']], []],
  ])('%s with %o: %o', async (status, timeline, expected) => {
    const orderId = await addOrder(status, timeline);
    const another = await addOrder('PAID', [['fulfillment.delayed']]);
    const told = await listMatters(database, 9);
    expect(told.filter((matter) => matter.orderId === orderId).map(({ event }) => event)).toEqual(expected);
    expect(await listMatters(database, 9, orderId)).toEqual(told.filter((matter) => matter.orderId === orderId));
    expect(told.at(-1)?.orderId).toBe(another);
    expect(await listMatters(database, 1)).toHaveLength(1);
  });

  test('is found by its own index', async () => {
    await database.query('SET enable_seqscan = off');
    const { rows } = await database.query<Record<string, string>>(
      `EXPLAIN SELECT at FROM order_timeline WHERE event IN ('refund.failed', 'payment.disputed', 'fulfillment.held',
        'refund.delayed', 'fulfillment.delayed', 'payment.in_review', 'payment.fraud_warning')`,
    );
    expect(JSON.stringify(rows)).toContain('order_timeline_for_people');
  });
});

test('orders are slow once they have waited longer than their status allows', async () => {
  const minute = 60_000;
  const patience = { PENDING: 2 * minute, WAITING_FOR_PAYMENT: 40 * minute, PAID: 10 * minute };
  const slow = [
    await addOrder('WAITING_FOR_PAYMENT', [], '41 minutes'),
    await addOrder('PAID', [], '11 minutes'),
    await addOrder('PENDING', [], '3 minutes'),
  ];
  for (const status of ['PENDING', 'WAITING_FOR_PAYMENT', 'PAID'] as const) await addOrder(status);
  for (const status of ['FINISHED', 'CANCELLED', 'EXPIRED', 'REFUNDED'] as const) await addOrder(status, [], '9 days');
  const listed = await listSlowOrders(database, patience, 9);
  expect(listed.map(({ orderId }) => orderId)).toEqual(slow);
  expect(await listSlowOrders(database, patience, 1)).toHaveLength(1);
});

test('orders of a day are counted by status, with what they come to', async () => {
  await addOrder('PAID');
  await addOrder('PAID');
  await addOrder('FINISHED');
  await addOrder('FINISHED', [], '2 days');
  const counted = await countOrdersSince(database, new Date(Date.now() - 86_400_000));
  expect(counted.sort((left, right) => left.count - right.count)).toEqual([
    { status: 'FINISHED', currency: 'USD', count: 1, totalAmountMinor: 100 },
    { status: 'PAID', currency: 'USD', count: 2, totalAmountMinor: 200 },
  ]);
});

test('an order is found by any id that somebody has in hand, and by nothing else', async () => {
  await addOrder('PAID');
  const orderId = await addOrder('FINISHED');
  for (const text of [orderId, `pi_${orderId}`, `cs_${orderId}`, `track-${orderId}`, `trace-${orderId}`]) {
    expect(await findOrderIdByAnything(database, text)).toBe(orderId);
  }
  for (const text of ['customer-1', '', 'pi_', "' OR true --"]) {
    expect(await findOrderIdByAnything(database, text)).toBeUndefined();
  }
  // Two shipments may have one number, if the shop's own warehouse says so.
  await database.query("UPDATE orders SET tracking_number = 'twice'");
  expect(await findOrderIdByAnything(database, 'twice')).toBeUndefined();
});

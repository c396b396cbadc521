import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../dev/stack/test-database.ts';
import { findBookedOrders } from './booked-orders.ts';
import { createDatabase, type Database } from './database.ts';
import { insertOrder } from './orders.ts';

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

const idOf = (number: number) => number.toString(16).padStart(24, '0');

async function newOrder(number: number, paymentIntentId: string | null): Promise<string> {
  const orderId = idOf(number);
  const lines = [{ itemId: 'pencil', name: 'Pencil', quantity: 20, unitAmountMinor: 100, currency: 'USD' }];
  const order = { orderId, customerId: 'c', runId: 'r', requestHash: 'h', traceId: 't', lines, detail: 'Made.' };
  await insertOrder(database, order);
  await database.query(
    `UPDATE orders SET payment_intent_id = $2, kept_amount_minor = 1300, lost_amount_minor = 200 WHERE order_id = $1`,
    [orderId, paymentIntentId],
  );
  return orderId;
}

test('orders are found by their id or their payment, with what their rows say of it', async () => {
  const orderId = await newOrder(1, 'pi_1');
  await newOrder(2, 'pi_2');
  await newOrder(3, null);
  await database.query(
    `INSERT INTO refunds (refund_id, order_id, payment_intent_id, amount_minor, state, failure_reason, stripe_refund_id)
      VALUES ('00000000000000000000000a', $1, 'pi_1', 300, 'accepted', NULL, 're_1'),
        ('00000000000000000000000b', $1, 'pi_1', 200, 'accepted', NULL, 're_2'),
        ('00000000000000000000000c', $1, 'pi_1', 100, 'asked', NULL, NULL),
        ('00000000000000000000000d', $1, 'pi_1', 50, 'failed', 'lost_or_stolen_card', 're_3'),
        ('00000000000000000000000e', $1, 'pi_stray', 2000, 'accepted', NULL, 're_4')`,
    [orderId],
  );
  const found = await findBookedOrders(database, { orderIds: [orderId, idOf(9)], paymentIntentIds: ['pi_2', 'pi_9'] });
  expect(found.toSorted((one, other) => (one.orderId < other.orderId ? -1 : 1))).toEqual([
    {
      orderId,
      status: 'PENDING',
      totalAmountMinor: 2000,
      currency: 'USD',
      paymentIntentId: 'pi_1',
      keptAmountMinor: 1300,
      refundedMinor: 500,
      lostMinor: 200,
      sources: ['order.created'],
    },
    expect.objectContaining({ orderId: idOf(2), refundedMinor: 0 }),
  ]);
});

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { orderStatuses } from '../domain/order-status.ts';
import { createTestDatabase, type TestDatabase } from '../dev/stack/test-database.ts';
import { createDatabase, type Database } from './database.ts';
import {
  appendEntryAfterTheEnd,
  appendTimelineEntry,
  findOrder,
  findOrderIdBy,
  insertOrder,
  type NewOrder,
  TimelineConflictError,
} from './orders.ts';

let testDatabase: TestDatabase;
let database: Database;
let orders = 0;
beforeAll(async () => {
  testDatabase = await createTestDatabase(inject('databaseUrl'));
  database = createDatabase({ url: testDatabase.url, poolSize: 10, name: 'test', onIdleError: () => undefined });
});
afterAll(async () => {
  await database.end();
  await testDatabase.drop();
});

async function made(changes: Partial<NewOrder> = {}): Promise<NewOrder> {
  orders += 1;
  const order: NewOrder = {
    orderId: orders.toString(16).padStart(24, '0'),
    customerId: 'customer-1',
    runId: 'run-1',
    requestHash: 'hash',
    traceId: 'trace',
    detail: 'Ordered.',
    lines: [
      { itemId: 'b', name: 'Book', quantity: 2, unitAmountMinor: 500, currency: 'USD' },
      { itemId: 'a', name: 'Pencil', quantity: 3, unitAmountMinor: 100, currency: 'USD' },
    ],
    ...changes,
  };
  await insertOrder(database, order);
  return order;
}

const waiting = (orderId: string) =>
  ({ orderId, seq: 2, status: 'WAITING_FOR_PAYMENT', event: 'payment.requested', detail: 'Pay.' }) as const;

describe('an order', () => {
  test('is read as it was written, lines in their order', async () => {
    const { orderId } = await made();
    const order = await findOrder(database, orderId);
    expect(order).toMatchObject({
      orderId,
      status: 'PENDING',
      seq: 1,
      totalAmountMinor: 1300,
      currency: 'USD',
      paymentLink: null,
      lines: [
        { itemId: 'b', name: 'Book', quantity: 2, unitAmountMinor: 500 },
        { itemId: 'a', name: 'Pencil', quantity: 3, unitAmountMinor: 100 },
      ],
      timeline: [{ seq: 1, status: 'PENDING', event: 'order.created', detail: 'Ordered.' }],
    });
    expect(order?.timeline[0]?.at).toBeInstanceOf(Date);
    expect(await findOrder(database, 'f'.repeat(24))).toBeUndefined();
  });

  test('written again by the same run is nothing, by another run an alarm', async () => {
    const order = await made();
    await insertOrder(database, order);
    await expect(insertOrder(database, { ...order, runId: 'run-2' })).rejects.toThrow(TimelineConflictError);
    expect((await findOrder(database, order.orderId))?.timeline).toHaveLength(1);
  });

  test('can have every status of the table and no other', async () => {
    const { orderId } = await made();
    for (const status of orderStatuses) {
      await database.query('UPDATE orders SET status = $2 WHERE order_id = $1', [orderId, status]);
    }
    await expect(database.query(`UPDATE orders SET status = 'SHIPPED' WHERE order_id = $1`, [orderId])).rejects.toThrow(
      'orders_status_check',
    );
  });
});

describe('an entry of the timeline', () => {
  test('changes the row with it', async () => {
    const { orderId } = await made();
    const links = {
      paymentLink: 'https://pay',
      checkoutSessionId: 'cs_1',
      paymentIntentId: 'pi_1',
      trackingNumber: 'T1',
    };
    await appendTimelineEntry(database, { ...waiting(orderId), ...links });
    expect(await findOrder(database, orderId)).toMatchObject({ status: 'WAITING_FOR_PAYMENT', seq: 2, ...links });
    for (const lookup of ['checkoutSessionId', 'paymentIntentId', 'trackingNumber'] as const) {
      expect(await findOrderIdBy(database, lookup, links[lookup])).toBe(orderId);
    }
  });

  test('written again, also at once, is nothing', async () => {
    const { orderId } = await made();
    await Promise.all(Array.from({ length: 5 }, () => appendTimelineEntry(database, waiting(orderId))));
    expect((await findOrder(database, orderId))?.timeline).toHaveLength(2);
  });

  test('never takes the place of another one', async () => {
    const { orderId } = await made();
    await appendTimelineEntry(database, waiting(orderId));
    const cancelled = { ...waiting(orderId), status: 'CANCELLED', event: 'order.cancelled' } as const;
    await expect(appendTimelineEntry(database, cancelled)).rejects.toThrow(
      `Order ${orderId}: entry 2 is to be order.cancelled (CANCELLED), but payment.requested (WAITING_FOR_PAYMENT) stands there`,
    );
    expect(await findOrder(database, orderId)).toMatchObject({ status: 'WAITING_FOR_PAYMENT', seq: 2 });
  });

  test('never leaves a gap', async () => {
    const { orderId } = await made();
    await expect(appendTimelineEntry(database, { ...waiting(orderId), seq: 3 })).rejects.toThrow(
      'the entry before it is missing',
    );
    expect((await findOrder(database, orderId))?.timeline).toHaveLength(1);
  });

  test('that comes late does not turn the row back', async () => {
    const { orderId } = await made();
    await appendTimelineEntry(database, waiting(orderId));
    await appendTimelineEntry(database, { orderId, seq: 3, status: 'PAID', event: 'order.paid', detail: 'Paid.' });
    await appendTimelineEntry(database, waiting(orderId));
    expect(await findOrder(database, orderId)).toMatchObject({ status: 'PAID', seq: 3 });
  });
});

describe('an entry after the end', () => {
  const refund = (orderId: string) => ({
    orderId,
    source: 'refund',
    event: 'order.refunded',
    detail: 'Refunded.',
    transition: { from: 'FINISHED', to: 'REFUNDED' } as const,
  });

  test('is written once a source, and counted by the row', async () => {
    const { orderId } = await made();
    const entries = ['evt_1', 'evt_2', 'evt_1'].map((source) => ({ orderId, source, event: 'note', detail: source }));
    await Promise.allSettled(entries.map((entry) => appendEntryAfterTheEnd(database, entry)));
    for (const entry of entries) expect(await appendEntryAfterTheEnd(database, entry)).toBe(true);
    const order = await findOrder(database, orderId);
    expect(order?.timeline.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(order?.seq).toBe(3);
  });

  test('changes the status only from the one that it starts from', async () => {
    const { orderId } = await made();
    expect(await appendEntryAfterTheEnd(database, refund(orderId))).toBe(false);
    await database.query(`UPDATE orders SET status = 'FINISHED' WHERE order_id = $1`, [orderId]);
    expect(await appendEntryAfterTheEnd(database, refund(orderId))).toBe(true);
    expect(await appendEntryAfterTheEnd(database, refund(orderId)), 'asked again').toBe(true);
    expect(await findOrder(database, orderId)).toMatchObject({ status: 'REFUNDED', seq: 2 });
  });
});

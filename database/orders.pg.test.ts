import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { TimelineEntry } from '../contracts/messages.ts';
import { type OrderStatus, orderStatuses } from '../domain/order-status.ts';
import { createTestDatabase, type TestDatabase } from '../dev/stack/test-database.ts';
import { createDatabase, type Database } from './database.ts';
import { appendTimelineEntry, findOrder, findOrderIdByPaymentIntent, insertOrder, type NewOrder } from './orders.ts';
import { TimelineConflictError } from './timeline.ts';

let testDatabase: TestDatabase;
let database: Database;
let orders = 0;
beforeAll(async () => {
  testDatabase = await createTestDatabase(inject('databaseUrl'));
  database = createDatabase({ url: testDatabase.url, poolSize: 10, name: 'test' });
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

function transition(orderId: string, event: string, from: OrderStatus, to: OrderStatus): TimelineEntry {
  return { orderId, source: event, event, detail: event, transition: { from, to } };
}
const waiting = (orderId: string) => transition(orderId, 'payment.requested', 'PENDING', 'WAITING_FOR_PAYMENT');
const paid = (orderId: string) => transition(orderId, 'order.paid', 'WAITING_FOR_PAYMENT', 'PAID');
const note = (orderId: string, source: string): TimelineEntry => ({ orderId, source, event: 'note', detail: source });

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
    await appendTimelineEntry(database, {
      ...waiting(orderId),
      changes: { ...links, kept: { amountMinor: 1300, asOfMs: 1 } },
    });
    expect(await findOrder(database, orderId)).toMatchObject({
      status: 'WAITING_FOR_PAYMENT',
      seq: 2,
      keptAmountMinor: 1300,
      ...links,
    });
    expect(await findOrderIdByPaymentIntent(database, links.paymentIntentId)).toBe(orderId);
  });

  test('does not undo what was read at Stripe later', async () => {
    const { orderId } = await made();
    const say = (source: string, amountMinor: number, asOfMs: number) =>
      appendTimelineEntry(database, { ...note(orderId, source), changes: { kept: { amountMinor, asOfMs } } });
    await say('refund:re_1', 1300, 2000);
    await say('review:prv_1', 1500, 1000);
    expect((await findOrder(database, orderId))?.keptAmountMinor).toBe(1300);
  });

  test('is written only while the order has the status that it is meant for', async () => {
    const { orderId } = await made();
    await expect(appendTimelineEntry(database, { ...note(orderId, 'refund'), onlyIn: 'FINISHED' })).rejects.toThrow(
      `Order ${orderId} is PENDING`,
    );
  });

  test('keeps what the next one does not change, and the data for programs', async () => {
    const { orderId } = await made();
    await appendTimelineEntry(database, { ...waiting(orderId), changes: { paymentLink: 'https://pay' } });
    const refund = { restock: true, reason: 'Broken.' };
    await appendTimelineEntry(database, { ...note(orderId, 'refund'), data: { refund } });
    const order = await findOrder(database, orderId);
    expect(order?.paymentLink).toBe('https://pay');
    expect(order?.timeline.at(-1)).toMatchObject({ status: 'WAITING_FOR_PAYMENT', source: 'refund', data: { refund } });
  });

  test.each([
    ['transition', waiting],
    ['note', (orderId: string) => note(orderId, 'evt_1')],
  ])('written again, also at once, is a no-op: a %s', async (_what, entry) => {
    const { orderId } = await made();
    await Promise.all(Array.from({ length: 8 }, () => appendTimelineEntry(database, entry(orderId))));
    await appendTimelineEntry(database, entry(orderId));
    const order = await findOrder(database, orderId);
    expect(order?.timeline.map(({ seq }) => seq)).toEqual([1, 2]);
    expect(order?.seq).toBe(2);
  });

  test('is numbered without gaps, whoever writes at once', async () => {
    const { orderId } = await made();
    const sources = Array.from({ length: 12 }, (_, index) => `evt_${index % 6}`);
    await Promise.all(sources.map((source) => appendTimelineEntry(database, note(orderId, source))));
    const order = await findOrder(database, orderId);
    expect(order?.timeline.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(order?.seq).toBe(7);
  });

  test('changes the status only from the one that it starts from', async () => {
    const { orderId } = await made();
    await expect(appendTimelineEntry(database, paid(orderId))).rejects.toThrow(
      `Order ${orderId} is PENDING, so order.paid (WAITING_FOR_PAYMENT to PAID) is not written`,
    );
    await appendTimelineEntry(database, waiting(orderId));
    await appendTimelineEntry(database, paid(orderId));
    expect(await findOrder(database, orderId)).toMatchObject({ status: 'PAID', seq: 3 });
  });

  test('that comes late does not turn the row back', async () => {
    const { orderId } = await made();
    await appendTimelineEntry(database, waiting(orderId));
    await appendTimelineEntry(database, paid(orderId));
    // A workflow that does it again only now comes from a backup.
    await expect(appendTimelineEntry(database, waiting(orderId))).rejects.toThrow(
      `Order ${orderId} is PAID, so payment.requested (PENDING to WAITING_FOR_PAYMENT) is not written`,
    );
    expect(await findOrder(database, orderId)).toMatchObject({ status: 'PAID', seq: 3 });
  });

  test('that is done again finds the row where it left it, or refunded since', async () => {
    const { orderId } = await made();
    const finished = transition(orderId, 'order.finished', 'PAID', 'FINISHED');
    for (const entry of [waiting(orderId), paid(orderId), finished]) {
      await appendTimelineEntry(database, entry);
      await appendTimelineEntry(database, entry);
    }
    await appendTimelineEntry(database, transition(orderId, 'order.refunded', 'FINISHED', 'REFUNDED'));
    await appendTimelineEntry(database, finished);
    expect(await findOrder(database, orderId)).toMatchObject({ status: 'REFUNDED', seq: 5 });
  });

  test('of two ends that come at once, one stands and the other is told so', async () => {
    const { orderId } = await made();
    const ends = [transition(orderId, 'order.cancelled', 'PENDING', 'CANCELLED'), waiting(orderId)];
    const results = await Promise.allSettled(ends.map((entry) => appendTimelineEntry(database, entry)));
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect((await findOrder(database, orderId))?.timeline).toHaveLength(2);
  });

  test('has no place without its order', async () => {
    await expect(appendTimelineEntry(database, note('e'.repeat(24), 'evt_1'))).rejects.toThrow(TimelineConflictError);
  });
});

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../dev/stack/test-database.ts';
import type { Charge, Refund } from '../domain/charge.ts';
import { createDatabase, type Database } from './database.ts';
import { appendTimelineEntry, findOrder, insertOrder } from './orders.ts';
import { failPart, listPartsToFinish, openPart, settlePart } from './refunds.ts';
import { beginShipment, giveBackStock, holdStock } from './stock.ts';

const PENCIL = 'prod_SNjRcpjxpiazxk';
const PLAIN = { restock: false, reason: 'Sorry.' };

let testDatabase: TestDatabase;
let database: Database;
let orders = 0;
beforeAll(async () => {
  testDatabase = await createTestDatabase(inject('databaseUrl'));
  database = createDatabase({ url: testDatabase.url, poolSize: 20, name: 'test' });
  await database.query('UPDATE items SET initial = initial + 10000, available = available + 10000');
});
afterAll(async () => {
  await database.end();
  await testDatabase.drop();
});

const idOf = (n: number) => n.toString(16).padStart(24, '0');

/** A paid order of ten pencils, $10.00; finished, if nothing else is said. */
async function paidOrder(to: 'PAID' | 'FINISHED' = 'FINISHED') {
  orders += 1;
  const orderId = idOf(orders);
  const paymentIntentId = `pi_${orders}`;
  const hold = { orderId, runId: 'run', lines: [{ itemId: PENCIL, quantity: 10 }] };
  const held = await holdStock(database, hold);
  if (!held.held) throw new Error('There are no pencils');
  await insertOrder(database, {
    ...hold,
    customerId: 'customer',
    requestHash: 'hash',
    traceId: 'trace',
    detail: 'Ordered.',
    lines: held.lines,
  });
  const write = (
    event: string,
    from: 'PENDING' | 'WAITING_FOR_PAYMENT' | 'PAID',
    next: 'WAITING_FOR_PAYMENT' | 'PAID' | 'FINISHED',
  ) =>
    appendTimelineEntry(database, {
      orderId,
      source: event,
      event,
      detail: event,
      transition: { from, to: next },
      ...(next === 'PAID' && { changes: { paymentIntentId, kept: { amountMinor: 1000, asOfMs: 1 } } }),
    });
  await write('payment.requested', 'PENDING', 'WAITING_FOR_PAYMENT');
  await write('order.paid', 'WAITING_FOR_PAYMENT', 'PAID');
  if (to === 'FINISHED') await write('order.finished', 'PAID', 'FINISHED');
  return { orderId, paymentIntentId };
}

type Paid = Awaited<ReturnType<typeof paidOrder>>;

function charge(
  { paymentIntentId, orderId }: Paid,
  refunds: readonly Refund[] = [],
  changes: Partial<Charge> = {},
): Charge {
  return {
    paymentIntentId,
    orderId,
    amountMinor: 1000,
    currency: 'USD',
    refundedMinor: refunds.reduce((sum, { amountMinor }) => sum + amountMinor, 0),
    refunds,
    disputes: [],
    review: null,
    fraudWarnings: [],
    readAtMs: 2,
    ...changes,
  };
}

let made = 0;
function atStripe(amountMinor: number, changes: Partial<Refund> = {}): Refund {
  made += 1;
  return { refundId: `re_${made}`, amountMinor, status: 'succeeded', orderId: null, failureReason: null, ...changes };
}

const amountOf = (paid: Paid, refundId: string, amountMinor: number) =>
  openPart(database, { orderId: paid.orderId, refundId, request: { ...PLAIN, amountMinor }, charge: charge(paid) });
const piecesOf = (paid: Paid, refundId: string, quantity: number, restock = true) =>
  openPart(database, {
    orderId: paid.orderId,
    refundId,
    request: { ...PLAIN, restock, items: [{ itemId: PENCIL, quantity }] },
    charge: charge(paid),
  });
const settled = (paid: Paid, refundId: string, refunds: readonly Refund[]) =>
  settlePart(database, { orderId: paid.orderId, refundId, charge: charge(paid, refunds) });

async function available(): Promise<number> {
  const found = await database.query<{ available: number }>('SELECT available FROM items WHERE item_id = $1', [PENCIL]);
  return found.rows[0]?.available ?? Number.NaN;
}
async function read({ orderId }: Paid) {
  const order = await findOrder(database, orderId);
  if (order === undefined) throw new Error(`There is no order ${orderId}`);
  return order;
}

let refundIds = 0xa00;
const newId = () => idOf((refundIds += 1));

describe('a part', () => {
  test('is written down once under its id, and another one under it is told apart', async () => {
    const paid = await paidOrder();
    const id = newId();
    expect(await amountOf(paid, id, 300)).toEqual({ outcome: 'open', amountMinor: 300, state: 'asked' });
    expect(await amountOf(paid, id, 300)).toEqual({ outcome: 'open', amountMinor: 300, state: 'asked' });
    expect(await amountOf(paid, id, 301)).toEqual({ outcome: 'otherRequest' });
    expect((await read(paid)).refunds).toMatchObject([{ refundId: id, amountMinor: 300, state: 'asked' }]);
  });

  test('of many at once never comes to more than there is', async () => {
    const paid = await paidOrder();
    const opened = await Promise.all(Array.from({ length: 12 }, () => amountOf(paid, newId(), 300)));
    expect(opened.filter(({ outcome }) => outcome === 'open')).toHaveLength(3);
    expect(opened.find(({ outcome }) => outcome === 'refused')).toMatchObject({
      refusal: { reason: 'tooMuch', leftMinor: 100 },
    });
  });

  test('that Stripe has accepted is told once, whoever hears of it first, and its pieces come back once', async () => {
    const paid = await paidOrder();
    const before = await available();
    const id = newId();
    await piecesOf(paid, id, 2);
    const refunds = [atStripe(200, { orderId: paid.orderId, partId: id })];
    // The aftercare of Stripe's event, and the workflow that asked.
    const note = { orderId: paid.orderId, source: 'a', event: 'a', detail: 'a' };
    await Promise.all([
      appendTimelineEntry(database, { ...note, changes: { charge: charge(paid, refunds) } }),
      settled(paid, id, refunds),
      settled(paid, id, refunds),
    ]);
    const order = await read(paid);
    expect(order.timeline.filter(({ event }) => event === 'payment.refunded')).toHaveLength(1);
    expect(order).toMatchObject({ keptAmountMinor: 800, refunds: [{ state: 'accepted' }] });
    expect(await available()).toBe(before + 2);
    await giveBackStock(database, { orderId: paid.orderId, runId: 'run' });
    expect(await available(), 'the rest comes back with the whole order').toBe(before + 10);
  });

  test('that failed stays failed, however old an answer says otherwise', async () => {
    const paid = await paidOrder();
    const id = newId();
    await amountOf(paid, id, 300);
    const refund = atStripe(300, { orderId: paid.orderId, partId: id });
    await settled(paid, id, [refund]);
    await settled(paid, id, [{ ...refund, status: 'failed', failureReason: 'expired_card' }]);
    await settled(paid, id, [refund]);
    expect(await read(paid)).toMatchObject({
      keptAmountMinor: 1000,
      refunds: [{ state: 'failed', failureReason: 'expired_card' }],
    });
  });

  test('is not forgotten by an answer that knows of fewer refunds', async () => {
    const paid = await paidOrder();
    const [one, two] = [newId(), newId()];
    await amountOf(paid, one, 300);
    await amountOf(paid, two, 400);
    const refunds = [
      atStripe(300, { orderId: paid.orderId, partId: one }),
      atStripe(400, { orderId: paid.orderId, partId: two }),
    ];
    await settled(paid, two, refunds);
    await settled(paid, one, refunds.slice(0, 1));
    expect((await read(paid)).keptAmountMinor).toBe(300);
  });

  test('of the last that is left makes a finished order REFUNDED', async () => {
    const paid = await paidOrder();
    const id = newId();
    await amountOf(paid, id, 600);
    const refunds = [atStripe(400), atStripe(600, { orderId: paid.orderId, partId: id })];
    expect(await settled(paid, id, refunds)).toEqual({ state: 'accepted', status: 'REFUNDED' });
    expect(await read(paid)).toMatchObject({
      status: 'REFUNDED',
      keptAmountMinor: 0,
      refunds: [{ refundId: id }, { madeAtStripe: true, amountMinor: 400 }],
    });
  });

  test('that cannot be made any more leaves its amount to others, and stands on the timeline', async () => {
    const paid = await paidOrder();
    const id = newId();
    await amountOf(paid, id, 900);
    const fail = { orderId: paid.orderId, refundId: id, why: 'too little', detail: 'It was not made.' };
    await failPart(database, fail);
    await failPart(database, fail);
    expect(await amountOf(paid, newId(), 900)).toMatchObject({ outcome: 'open' });
    expect((await read(paid)).timeline.filter(({ event }) => event === 'refund.failed')).toHaveLength(1);
  });

  test('is among what is to be finished until it is decided', async () => {
    const paid = await paidOrder();
    const [open, done] = [newId(), newId()];
    await amountOf(paid, open, 100);
    await piecesOf(paid, done, 1);
    await settled(paid, done, [atStripe(100, { orderId: paid.orderId, partId: done })]);
    const listed = await listPartsToFinish(database);
    expect(listed.filter(({ orderId }) => orderId === paid.orderId)).toMatchObject([
      { refundId: open, amountMinor: 100, items: null },
    ]);
  });
});

describe('pieces of an order that is not shipped yet', () => {
  test('are kept back from the shipment', async () => {
    const paid = await paidOrder('PAID');
    await piecesOf(paid, newId(), 3);
    expect(await beginShipment(database, paid.orderId)).toEqual([{ itemId: PENCIL, quantity: 3 }]);
    expect(await piecesOf(paid, newId(), 1)).toMatchObject({ refusal: { reason: 'beingShipped' } });
    expect(await beginShipment(database, paid.orderId), 'each attempt ships the same').toEqual([
      { itemId: PENCIL, quantity: 3 },
    ]);
  });

  test('are kept back or shipped, and never both, however the two meet', async () => {
    for (let round = 0; round < 20; round += 1) {
      const paid = await paidOrder('PAID');
      const [opened, keptBack] = await Promise.all([piecesOf(paid, newId(), 1), beginShipment(database, paid.orderId)]);
      expect(keptBack.length > 0).toBe(opened.outcome === 'open');
    }
  });
});

describe('a refund of all that is left', () => {
  const ask = ({ orderId }: Paid) =>
    appendTimelineEntry(database, {
      orderId,
      source: 'refund.requested:FINISHED',
      event: 'refund.requested',
      detail: 'Sorry.',
      data: { refund: { restock: true, reason: 'Sorry.', operator: 'kim' } },
    });

  test('keeps all of it from others until it is made, and then is what Stripe made of it', async () => {
    const paid = await paidOrder();
    await ask(paid);
    await ask(paid);
    expect(await amountOf(paid, newId(), 1)).toMatchObject({ refusal: { reason: 'tooMuch', leftMinor: 0 } });
    await appendTimelineEntry(database, {
      orderId: paid.orderId,
      source: 'order.refunded',
      event: 'order.refunded',
      detail: 'Refunded.',
      transition: { from: 'FINISHED', to: 'REFUNDED' },
      changes: { charge: charge(paid, [atStripe(1000, { orderId: paid.orderId })]) },
    });
    expect(await read(paid)).toMatchObject({
      keptAmountMinor: 0,
      refunds: [
        { isWhole: true, state: 'accepted', amountMinor: 1000, requestedBy: 'kim', stripeRefundId: `re_${made}` },
      ],
    });
  });

  test.each([
    { how: 'a bank has taken it all back', end: { transition: { from: 'FINISHED', to: 'REFUNDED' } } },
    { how: 'the goods had left', end: { changes: { refundWithdrawn: true } } },
  ] as const)('is not open any more once $how', async ({ end }) => {
    const paid = await paidOrder();
    await ask(paid);
    await appendTimelineEntry(database, { orderId: paid.orderId, source: 'end', event: 'end', detail: 'End.', ...end });
    expect((await read(paid)).refunds).toMatchObject([{ isWhole: true, state: 'failed' }]);
  });
});

test('what a bank took back stays lost, whatever an older answer says', async () => {
  const paid = await paidOrder();
  const lost = [{ disputeId: 'du_1', status: 'lost', reason: 'fraudulent', amountMinor: 400 }];
  const note = (source: string, changes: Partial<Charge>) =>
    appendTimelineEntry(database, {
      orderId: paid.orderId,
      source,
      event: 'note',
      detail: source,
      changes: { charge: charge(paid, [], changes) },
    });
  await note('newer', { disputes: lost });
  await note('older', {});
  expect((await read(paid)).keptAmountMinor).toBe(600);
});

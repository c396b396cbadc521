import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createFulfillmentActivities } from '../activities/fulfillment.ts';
import { createOrderActivities } from '../activities/orders.ts';
import { createStockActivities } from '../activities/stock.ts';
import { readCharge } from '../activities/stripe-charge.ts';
import { type Context, createContext } from '../cli/context.ts';
import { runDoctor } from '../cli/doctor/doctor.ts';
import type { Finding } from '../cli/doctor/finding.ts';
import { compareMoney } from '../cli/doctor/money.ts';
import { rewriteFromJournal } from '../cli/doctor/rewrite-rows.ts';
import { aftercareWorkflowId, journaledActivities } from '../contracts/messages.ts';
import { appendTimelineEntry, findOrder, type OrderRecord } from '../database/orders.ts';
import { must } from '../domain/must.ts';
import type { Difference } from '../domain/books.ts';
import type { OrderStatus } from '../domain/order-status.ts';
import { createStripe } from '../platform/stripe.ts';
import { chargeApart } from './support/stray-payments.ts';
import { PENCIL, startWorld, type World } from './support/world.ts';

/*
 * After a restore PostgreSQL and Temporal tell different things of an order. Each such state is made here by hand; the
 * drill (`npm run drill:restore`) makes them all at once, under load, with real backups.
 */

let world: World;
let context: Context;
beforeAll(async () => {
  world = await startWorld({ STRIPE_RETRY_MAX_SECONDS: '0.2' });
  context = createContext({ config: world.config, stackFile: undefined, stripeKeyIsElsewhere: false });
});
afterAll(async () => {
  await context.close();
  await world.stop();
});

async function findings(repair: boolean): Promise<Finding[]> {
  const { data } = await runDoctor(context, { repair });
  return (data as { findings: Finding[] }).findings;
}

async function problems(repair = false): Promise<Finding[]> {
  // Webhooks that a test has lost on purpose are no matter of a restore.
  return (await findings(repair)).filter(({ level, about }) => level === 'problem' && about !== 'Webhook');
}

/** Waits until the doctor finds this and nothing else: Temporal's lists lag behind a little. */
async function untilFound(...messages: readonly RegExp[]): Promise<void> {
  const expected = messages.map((message) => ({ about: 'Orders', message: expect.stringMatching(message) }));
  await world.until(async () => expect(await problems()).toMatchObject(expected));
}

test('whatever writes to the database is in the journal', () => {
  const none = undefined as never;
  const writing = [
    ...Object.keys(createOrderActivities({ database: none })),
    ...Object.keys(createStockActivities({ database: none })),
    ...Object.keys(createFulfillmentActivities({ fulfillment: none, database: none })),
  ].filter((name) => !name.startsWith('read'));
  expect(journaledActivities.toSorted()).toEqual(writing.toSorted());
});

const TABLES = [
  'shipments',
  'order_timeline',
  'order_lines',
  'refunds',
  'orders',
  'reservation_lines',
  'reservations',
] as const;

/** What a restored backup leaves of an order: nothing, or what it was up to this status. */
async function turnBack({ orderId, status }: OrderRecord, to?: OrderStatus): Promise<void> {
  const query = (text: string) => world.database.query(text, [orderId]);
  const wasReleased = status === 'CANCELLED' || status === 'EXPIRED' || status === 'REFUNDED';
  if (!wasReleased && to === undefined) await query(moveStock('+'));
  if (wasReleased && to !== undefined) await query(moveStock('-'));
  if (to === undefined) {
    for (const table of TABLES) await query(`DELETE FROM ${table} WHERE order_id = $1`);
    return;
  }
  await query('DELETE FROM shipments WHERE order_id = $1');
  await query('DELETE FROM refunds WHERE order_id = $1');
  await world.database.query(
    `DELETE FROM order_timeline t WHERE order_id = $1 AND seq > (
      SELECT max(seq) FROM order_timeline WHERE order_id = $1 AND status = $2)`,
    [orderId, to],
  );
  await world.database.query(
    `UPDATE orders SET status = $2, seq = (SELECT max(seq) FROM order_timeline t WHERE t.order_id = orders.order_id),
      payment_intent_id = CASE WHEN $2 = 'PAID' THEN payment_intent_id END, tracking_number = NULL,
      checkout_session_id = CASE WHEN $2 <> 'PENDING' THEN checkout_session_id END,
      kept_amount_minor = CASE WHEN $2 = 'PAID' THEN kept_amount_minor ELSE 0 END,
      kept_as_of_ms = CASE WHEN $2 = 'PAID' THEN kept_as_of_ms ELSE 0 END
      WHERE order_id = $1`,
    [orderId, to],
  );
  await query(`UPDATE reservations SET state = 'held', released_at = NULL WHERE order_id = $1`);
}
function moveStock(sign: '+' | '-'): string {
  return `UPDATE items SET available = available ${sign} quantity
    FROM reservation_lines l WHERE l.order_id = $1 AND l.item_id = items.item_id`;
}

describe('PostgreSQL that is older', () => {
  /** What is to be the same after the repair; the times of what is written again are those of the repair. */
  async function rowsOf(orderId: string) {
    const order = await findOrder(world.database, orderId);
    const { createdAt: _, updatedAt: __, timeline, refunds, ...row } = order ?? ({} as OrderRecord);
    const entries = timeline?.map(({ at: _at, ...entry }) => entry);
    return {
      ...row,
      entries,
      refunds: refunds?.map(({ createdAt: _at, ...refund }) => refund),
      stock: await world.stockOf(PENCIL),
    };
  }

  async function cancelled(): Promise<OrderRecord> {
    const order = await world.orderWaitingForPayment();
    await world.cancel(order);
    return world.untilStatus(order.orderId, 'CANCELLED');
  }
  async function refundedByOperator(): Promise<OrderRecord> {
    const { orderId } = await world.finishedOrder();
    await context.orderWorkflow.refund({ orderId, status: 'FINISHED' }, { restock: true, reason: 'Broken.' });
    return world.untilStatus(orderId, 'REFUNDED');
  }

  test.each<{ name: string; make: () => Promise<OrderRecord>; to: OrderStatus | undefined; says: RegExp }>([
    {
      name: 'finished',
      make: () => world.finishedOrder(),
      to: undefined,
      says: /has no order \w+, but its workflow ended as FINISHED: PostgreSQL was restored/,
    },
    {
      name: 'finished',
      make: () => world.finishedOrder(),
      to: 'WAITING_FOR_PAYMENT',
      says: /is WAITING_FOR_PAYMENT, but its workflow ended as FINISHED: PostgreSQL/,
    },
    {
      name: 'finished',
      make: () => world.finishedOrder(),
      to: 'PAID',
      says: /is PAID, but its workflow ended as FINISHED: PostgreSQL/,
    },
    {
      name: 'cancelled',
      make: cancelled,
      to: 'PENDING',
      says: /is PENDING, but its workflow ended as CANCELLED: PostgreSQL/,
    },
    {
      name: 'cancelled',
      make: cancelled,
      to: undefined,
      says: /has no order \w+, but its workflow ended as CANCELLED/,
    },
    {
      name: 'waiting',
      make: () => world.orderWaitingForPayment(),
      to: 'PENDING',
      says: /is PENDING, but its workflow says WAITING_FOR_PAYMENT: PostgreSQL/,
    },
    {
      name: 'waiting',
      make: () => world.orderWaitingForPayment(),
      to: undefined,
      says: /has no order \w+, but its workflow says WAITING_FOR_PAYMENT/,
    },
    {
      name: 'refunded after its end',
      make: refundedByOperator,
      to: 'WAITING_FOR_PAYMENT',
      says: /is WAITING_FOR_PAYMENT, but its workflow ended as FINISHED/,
    },
  ])('has the rows of an order again that is $name, from $to on', async ({ make, to, says }) => {
    const order = await make();
    if (order.status !== 'WAITING_FOR_PAYMENT') await world.workflowResult(order.orderId);
    const before = await rowsOf(order.orderId);
    await turnBack(order, to);
    await untilFound(says);
    expect(await problems(true)).toEqual([]);
    expect(await rowsOf(order.orderId)).toEqual(before);
    // Nobody is charged, paid or shipped twice by it.
    expect((await world.stripe.ledger(order.orderId)).refunds).toHaveLength(order.status === 'REFUNDED' ? 1 : 0);
  });

  test('has the way on of an order again that waits', async () => {
    const order = await world.orderWaitingForPayment();
    await turnBack(order);
    await untilFound(/PostgreSQL was restored/);
    expect(await problems(true)).toEqual([]);
    await world.pay(order);
    await world.untilStatus(order.orderId, 'FINISHED');
  });

  test('holds nobody up that was about to write when it went away', async () => {
    const order = await world.orderWaitingForPayment();
    // The row is missing when the order is paid: its workflow asks again until the doctor has been here.
    await turnBack(order, 'PENDING');
    await world.pay(order);
    await world.until(async () => expect(await problems(true)).toEqual([]));
    await world.until(
      async () => expect(await world.order(order.orderId)).toMatchObject({ status: 'FINISHED' }),
      60_000,
    );
  });

  test('has what an order had held again that gave it back before the doctor came', async () => {
    const available = await world.stockOf(PENCIL);
    const order = await world.orderWaitingForPayment();
    await turnBack(order);
    await world.client.workflow.getHandle(order.orderId).cancel();
    await world.until(async () =>
      expect(await world.stripe.sessions(order.orderId)).toMatchObject([{ status: 'expired' }]),
    );
    await world.until(async () => expect(await problems(true)).toEqual([]));
    await world.untilStatus(order.orderId, 'CANCELLED');
    expect(await world.stockOf(PENCIL)).toBe(available);
  }, 90_000);

  test('has what aftercare wrote again', async () => {
    const order = await world.finishedOrder();
    const paymentIntentId = await chargeApart(world, order);
    await world.stripe.openFraudWarning((await world.stripe.ledger(order.orderId)).charges.at(-1)!.id);
    await world.untilEvent(order.orderId, 'payment.returned');
    await world.workflowResult(aftercareWorkflowId(paymentIntentId));
    const before = await rowsOf(order.orderId);
    await turnBack(order, 'PAID');
    await untilFound(/is PAID, but its workflow ended as FINISHED/);
    expect(await problems(true)).toEqual([]);
    expect(await rowsOf(order.orderId)).toEqual(before);
  });

  test('ends an aftercare that was at work, and the books tell of its payment', async () => {
    const order = await world.finishedOrder();
    await world.workflowResult(order.orderId);
    const paymentIntentId = order.paymentIntentId!;
    await world.stopWorker('payment');
    await world.stripe.refundAtDashboard(paymentIntentId);
    // It has read the order, and waits for the charge.
    const aftercare = world.client.workflow.getHandle(aftercareWorkflowId(paymentIntentId));
    await world.until(async () => expect((await aftercare.describe()).raw.pendingActivities).toHaveLength(1));
    await turnBack(order);
    await world.startWorker('payment');
    await aftercare.result();
    await world.until(async () => expect(await problems(true)).toEqual([]));
    expect(await world.order(order.orderId)).toMatchObject({ status: 'FINISHED' });
    const { data } = await compareMoney(context, { since: new Date(Date.now() - 3_600_000), repair: true });
    expect(data).toMatchObject({ agree: true });
    expect(await world.order(order.orderId)).toMatchObject({ status: 'REFUNDED', keptAmountMinor: 0 });
  }, 90_000);

  test('lacks what came in since: the doctor says how much, and goes on once it is booked', async () => {
    const { orderId } = await world.finishedOrder();
    await world.workflowResult(orderId);
    const available = await world.stockOf(PENCIL);
    await turnBack(await world.order(orderId));
    const take = 'UPDATE items SET restocked = restocked + $1, available = available + $1 WHERE item_id = $2';
    await world.database.query(take, [-(available + 1), PENCIL]);
    const short = [
      { about: 'Repair', message: expect.stringContaining(`1 of ${PENCIL}, 0 are there`), orderIds: [orderId] },
    ];
    await world.until(async () => expect(await problems(true)).toMatchObject([...short, { about: 'Orders' }]));
    await world.database.query(take, [available + 1, PENCIL]);
    expect(await problems(true)).toEqual([]);
  });

  test('gets nothing twice if it is not older at all', async () => {
    const { orderId } = await world.finishedOrder();
    await world.workflowResult(orderId);
    const before = await rowsOf(orderId);
    await rewriteFromJournal(context, world.client, orderId);
    expect(await rowsOf(orderId)).toEqual(before);
  });
});

describe('Temporal that is older', () => {
  afterEach(() => world.stripe.clearWebhookRules());

  /** Brings an order's row on, as the workflow did that the restored backup does not know; its own stands still meanwhile. */
  async function goOnWithout(order: OrderRecord, ...statuses: readonly OrderStatus[]): Promise<void> {
    const { paymentIntentId } = await world.pay(order);
    let from = order.status;
    for (const to of statuses) {
      const event = { PAID: 'order.paid', FINISHED: 'order.finished', REFUNDED: 'order.refunded' }[to as 'PAID'];
      if (to === 'REFUNDED') await world.stripe.refundAtDashboard(must(paymentIntentId, 'a payment'));
      await appendTimelineEntry(world.database, {
        orderId: order.orderId,
        source: event,
        event,
        detail: 'Before the restore.',
        transition: { from, to },
        changes: {
          paymentIntentId: must(paymentIntentId, 'a payment'),
          charge: await readCharge(createStripe(world.config.stripe), must(paymentIntentId, 'a payment')),
        },
      });
      from = to;
    }
    // A row that has just been written may only be ahead of a workflow that is at work.
    await world.database.query("UPDATE orders SET updated_at = updated_at - interval '1 minute' WHERE order_id = $1", [
      order.orderId,
    ]);
  }

  async function waitingWithoutWebhooks(): Promise<OrderRecord> {
    await world.stripe.addWebhookRule({ action: { type: 'drop' }, probability: 1 });
    return world.orderWaitingForPayment();
  }

  test.each<{ statuses: readonly OrderStatus[]; end: OrderStatus }>([
    { statuses: ['PAID'], end: 'FINISHED' },
    { statuses: ['PAID', 'FINISHED'], end: 'FINISHED' },
  ])('goes on from the row of an order that is $statuses', async ({ statuses, end }) => {
    const order = await waitingWithoutWebhooks();
    await goOnWithout(order, ...statuses);
    await untilFound(/but its workflow says WAITING_FOR_PAYMENT: Temporal was restored/);
    expect(await problems(true)).toEqual([]);
    await world.untilStatus(order.orderId, end);
    expect(await world.workflowResult(order.orderId)).toEqual({ status: end });
    expect((await world.stripe.ledger(order.orderId)).refunds).toEqual([]);
  });

  test('gives no goods back that have left, though the money has gone back', async () => {
    const order = await waitingWithoutWebhooks();
    await goOnWithout(order, 'PAID', 'FINISHED', 'REFUNDED');
    const stock = await world.stockOf(PENCIL);
    await untilFound(/is REFUNDED, but its workflow says WAITING_FOR_PAYMENT: Temporal was restored/);
    expect(await problems(true)).toEqual([]);
    expect(await world.workflowResult(order.orderId)).toEqual({ status: 'REFUNDED' });
    expect(await world.stockOf(PENCIL)).toBe(stock);
  });
});

describe('both that are older than an order', () => {
  async function forget({ orderId }: OrderRecord): Promise<void> {
    const handle = world.client.workflow.getHandle(orderId);
    if ((await handle.describe()).status.name === 'RUNNING') await handle.terminate('restored, for a test');
    await turnBack(await world.order(orderId));
    await world.forgetWorkflow(orderId);
    // That it is lost is what a restore of both costs.
    const answered = world.creates.findIndex((create) => create.orderId === orderId);
    world.creates.splice(answered, 1);
  }

  test('have its payment page closed, so that nobody pays for nothing', async () => {
    const order = await world.orderWaitingForPayment();
    await forget(order);
    const open = {
      about: 'Stripe',
      message: expect.stringContaining('its payment page is open'),
      orderIds: [order.orderId],
    };
    expect(await problems()).toMatchObject([open]);
    expect(await problems(true)).toEqual([]);
    expect(await world.stripe.sessions(order.orderId)).toMatchObject([{ status: 'expired' }]);
  }, 180_000);

  test('have a person told of what was paid for it, until the money has gone back', async () => {
    const order = await world.finishedOrder();
    await world.workflowResult(order.orderId);
    await forget(order);
    const since = new Date(Date.now() - 3_600_000);
    const differences = async () => {
      const { data } = await compareMoney(context, { since, repair: true });
      return (data as { differences: Difference[] }).differences.filter(({ orderId }) => orderId === order.orderId);
    };
    expect(await differences()).toMatchObject([{ status: null, atStripe: { keptMinor: 100 } }]);
    const [charge] = (await world.stripe.ledger(order.orderId)).charges;
    await world.stripe.refundAtDashboard(charge!.paymentIntentId!);
    expect(await differences()).toEqual([]);
  }, 180_000);
});

test('of two ends a person decides', async () => {
  const order = await world.finishedOrder();
  await world.workflowResult(order.orderId);
  const say = (status: string) =>
    world.database.query('UPDATE orders SET status = $2 WHERE order_id = $1', [order.orderId, status]);
  await say('CANCELLED');
  await world.until(async () =>
    expect(await problems(true)).toContainEqual(
      expect.objectContaining({
        message: expect.stringMatching(/is CANCELLED, but its workflow ended as FINISHED: both/),
      }),
    ),
  );
  await say('FINISHED');
  expect(await problems()).toEqual([]);
});

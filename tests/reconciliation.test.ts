import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ScheduleClient } from '@temporalio/client';
import { type Context, createContext } from '../cli/context.ts';
import { runDoctor } from '../cli/doctor/doctor.ts';
import { compareMoney } from '../cli/doctor/money.ts';
import {
  RECONCILE_BOOKS,
  type ReconcileBooksResult,
  reconciliationScheduleId,
  taskQueues,
} from '../contracts/messages.ts';
import type { OrderRecord } from '../database/orders.ts';
import { findLastReconciliation, type Reconciliation } from '../database/reconciliations.ts';
import { must } from '../domain/must.ts';
import type { OrderStatus } from '../domain/order-status.ts';
import { ensureReconciliationSchedule } from '../platform/schedules.ts';
import { chargeApart } from './support/stray-payments.ts';
import { PENCIL, startWorld, type World } from './support/world.ts';

/** What differs for good is looked at for more than a minute. */
const FOR_GOOD_MS = 150_000;

let world: World;
let context: Context;
beforeAll(async () => {
  world = await startWorld();
  context = createContext({ config: world.config, stackFile: undefined, stripeKeyIsElsewhere: false });
  await world.stockItem({ itemId: 'pen', unitAmountMinor: 250, currency: 'USD', available: 1_000 });
  await world.stockItem({ itemId: 'fude', unitAmountMinor: 800, currency: 'JPY', available: 1_000 });
  await world.stockItem({ itemId: 'qalam', unitAmountMinor: 1_500, currency: 'KWD', available: 1_000 });
});
afterEach(() => world.stripe.clearWebhookRules());
afterAll(async () => {
  await context.close();
  await world.stop();
  // All of their histories are replayed.
}, 240_000);

const loseAllEvents = () => world.stripe.addWebhookRule({ action: { type: 'drop' }, probability: 1 });

let runs = 0;
async function startReconciliation() {
  const { taskQueuePrefix } = world.config.temporal;
  runs += 1;
  return world.client.workflow.start<() => Promise<ReconcileBooksResult>>(RECONCILE_BOOKS, {
    workflowId: `${reconciliationScheduleId(taskQueuePrefix)}-${runs}`,
    taskQueue: taskQueues(taskQueuePrefix).orders,
  });
}

/** Compares with Stripe, as the schedule does. */
async function reconcile(): Promise<Reconciliation> {
  const { differing } = await (await startReconciliation()).result();
  const last = must(await findLastReconciliation(world.database), 'the reconciliation that has just ended');
  expect(last.differing).toBe(differing);
  return last;
}

/** All charges and disputes there are become too old for the lists of the next comparison. */
async function growOld(): Promise<void> {
  await world.database.query("UPDATE reconciliations SET started_at = clock_timestamp() + interval '2 hours'");
}

async function chargeOf({ orderId }: OrderRecord) {
  const { charges } = await world.stripe.ledger(orderId);
  const charge = must(charges[0], `the charge of order ${orderId}`);
  return { chargeId: charge.id, paymentIntentId: must(charge.paymentIntentId, 'its payment') };
}

async function inParallel<T>(items: readonly T[], act: (item: T, index: number) => Promise<void>): Promise<void> {
  const queue = items.map((item, index) => [item, index] as const);
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await act(...next);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

describe('200 orders of which Stripe tells nothing', () => {
  /** What happens to an order, from the moment that all its events are lost, and how it is to end. */
  const FATES: readonly {
    readonly end: OrderStatus;
    readonly isFinishedBefore?: true;
    readonly happens: (order: OrderRecord) => Promise<unknown>;
  }[] = [
    { end: 'FINISHED', happens: async (order) => world.pay(order) },
    { end: 'CANCELLED', happens: async (order) => world.cancel(order) },
    {
      // The customer has paid, and changes their mind before the order knows.
      end: 'REFUNDED',
      happens: async (order) => {
        await world.pay(order);
        await world.cancel(order);
      },
    },
    { end: 'REFUNDED', happens: async (order) => refund(order, true) },
    { end: 'FINISHED', happens: async (order) => refund(order, true, 100) },
    { end: 'REFUNDED', isFinishedBefore: true, happens: async (order) => refund(order) },
    { end: 'FINISHED', isFinishedBefore: true, happens: async (order) => refund(order, false, 100) },
    { end: 'REFUNDED', isFinishedBefore: true, happens: async (order) => dispute(order, 'lost') },
    { end: 'FINISHED', isFinishedBefore: true, happens: async (order) => dispute(order, 'won') },
    {
      // A part is refunded, then the bank takes back the rest.
      end: 'REFUNDED',
      isFinishedBefore: true,
      happens: async (order) => {
        await refund(order, false, 100);
        await dispute(order, 'lost');
      },
    },
  ];

  async function refund(order: OrderRecord, isPaidFirst = false, amountMinor?: number): Promise<void> {
    if (isPaidFirst) await world.pay(order);
    const { paymentIntentId } = await chargeOf(order);
    await world.stripe.refundAtDashboard(paymentIntentId, amountMinor === undefined ? {} : { amountMinor });
  }

  async function dispute(order: OrderRecord, end: 'won' | 'lost'): Promise<void> {
    const { id } = await world.stripe.openDispute((await chargeOf(order)).chargeId);
    await world.stripe.closeDispute(id, end);
  }

  test('one comparison brings all to their ends, and the balance agrees to the smallest unit', async () => {
    const items = ['pen', 'fude', 'qalam'];
    const orders: OrderRecord[] = [];
    const fateOf = (index: number) => must(FATES[index % FATES.length], 'a fate');
    await inParallel(Array.from({ length: 200 }), async (_, index) => {
      const itemID = must(items[Math.floor(index / FATES.length) % items.length], 'an item');
      const order = await world.orderWaitingForPayment([{ itemID, quantity: 1 }]);
      orders[index] = order;
      if (fateOf(index).isFinishedBefore !== true) return;
      await world.pay(order);
      await world.untilStatus(order.orderId, 'FINISHED');
      await world.workflowResult(order.orderId);
    });
    await world.stripe.payLinkSale({
      clientReferenceId: must(orders[0], 'an order').orderId,
      amountMinor: 70,
      currency: 'usd',
    });
    await loseAllEvents();
    await inParallel(orders, async (order, index) => void (await fateOf(index).happens(order)));

    const { differing, balance, differences } = await reconcile();

    expect(differences).toEqual([]);
    expect(differing).toBe(0);
    await world.until(async () => {
      const ends = await Promise.all(orders.map(async ({ orderId }) => (await world.order(orderId)).status));
      expect(ends).toEqual(orders.map((_, index) => fateOf(index).end));
    });
    const { totals } = await world.stripe.ledger();
    const ofCurrency = (code: string) => {
      const sum = (key: 'chargedMinor' | 'refundedMinor' | 'lostMinor' | 'keptMinor') =>
        totals
          .filter(({ currency, orderId }) => orderId !== null && currency.toUpperCase() === code)
          .reduce((total, line) => total + line[key], 0);
      return {
        chargedMinor: sum('chargedMinor'),
        refundedMinor: sum('refundedMinor'),
        lostMinor: sum('lostMinor'),
        keptMinor: sum('keptMinor'),
      };
    };
    expect(balance).toEqual({
      charges: 181,
      notOurs: 1,
      returned: 0,
      lines: ['JPY', 'KWD', 'USD'].map((currency) => ({
        currency,
        atStripe: ofCurrency(currency),
        here: ofCurrency(currency),
      })),
    });
    const refunds = (await world.stripe.ledger()).refunds.filter(({ orderId }) => orderId === null);
    expect(refunds, 'of the other sale').toEqual([]);
  }, 580_000);
});

test('a refund at the dashboard is noticed, however old its payment is', async () => {
  const order = await world.finishedOrder();
  await world.workflowResult(order.orderId);
  await reconcile();
  await growOld();
  await loseAllEvents();
  await world.stripe.refundAtDashboard((await chargeOf(order)).paymentIntentId, { amountMinor: 40 });
  expect(await reconcile()).toMatchObject({ differing: 0, balance: { charges: 0 } });
  const refunded = await world.order(order.orderId);
  expect(refunded).toMatchObject({ status: 'FINISHED', keptAmountMinor: 60 });
  expect(refunded.timeline.at(-1)?.detail).toBe('$0.40 of $1.00 was refunded.');
}, 60_000);

test('what a bank decides late is noticed: an open dispute is looked at until it is decided', async () => {
  const order = await world.finishedOrder();
  await world.workflowResult(order.orderId);
  const dispute = await world.stripe.openDispute((await chargeOf(order)).chargeId);
  await world.untilEvent(order.orderId, 'payment.disputed');
  await reconcile();
  await growOld();
  await loseAllEvents();
  await world.stripe.closeDispute(dispute.id, 'lost');
  expect(await reconcile()).toMatchObject({ differing: 0, balance: { charges: 0 } });
  expect(await world.order(order.orderId)).toMatchObject({ status: 'REFUNDED', keptAmountMinor: 0 });
}, 60_000);

test('rows that somebody has changed by hand are corrected, and the timeline says so', async () => {
  const order = await world.finishedOrder();
  await world.workflowResult(order.orderId);
  await world.database.query('UPDATE orders SET kept_amount_minor = 99 WHERE order_id = $1', [order.orderId]);
  expect(await reconcile()).toMatchObject({ differing: 0 });
  const corrected = await world.order(order.orderId);
  expect(corrected.keptAmountMinor).toBe(100);
  expect(corrected.timeline.at(-1)?.event).toBe('payment.reconciled');
}, 60_000);

test('a run that is lost is gone on with, and no page is read twice', async () => {
  await world.finishedOrder();
  await world.stripe.addFault({ method: 'GET', path: '/v1/refunds', times: 1, action: { type: 'hold' } });
  const lists = async () => (await world.stripe.requests()).filter(({ path }) => path === '/v1/charges').length;
  const before = await lists();
  const lost = await startReconciliation();
  const position = async () =>
    (await world.database.query('SELECT position FROM reconciliations WHERE finished_at IS NULL')).rows[0]?.position;
  await world.until(async () => expect(await position()).toMatchObject({ list: 'refunds' }));
  await lost.terminate('lost, for a test');
  const pages = (await lists()) - before;
  await world.stripe.clearFaults();
  const unfinished = await world.database.query(
    "SELECT reconciliation_id, balance->'charges' AS charges FROM reconciliations WHERE finished_at IS NULL",
  );
  expect(unfinished.rows[0]?.charges).toBeGreaterThan(0);
  await reconcile();
  expect((await lists()) - before).toBe(pages);
  const finished = await world.database.query(
    "SELECT reconciliation_id, balance->'charges' AS charges FROM reconciliations ORDER BY reconciliation_id DESC LIMIT 1",
  );
  expect(finished.rows).toEqual(unfinished.rows);
}, 60_000);

test(
  'what cannot be healed is an alarm that names order, amount and both sides, once',
  async () => {
    const orderId = '0123456789abcdef01234567';
    const order = await world.newOrder();
    const paymentIntentId = await chargeApart(world, { ...order, orderId }, { amountMinor: 777 });
    const alarms = async () =>
      [...(await world.metricsText()).matchAll(/^operator_alarms_total\S* (\d+)/gm)].reduce(
        (sum, [, count]) => sum + Number(count),
        0,
      );
    const before = await alarms();
    const { differing, differences } = await reconcile();
    expect({ differing, differences }).toMatchObject({
      differing: 1,
      differences: [{ orderId, paymentIntentId, status: null, atStripe: { keptMinor: 777 }, here: { keptMinor: 0 } }],
    });
    await world.until(async () => expect(await alarms()).toBe(before + 1));

    const sentence = `Payment ${paymentIntentId} names order ${orderId}, which does not exist here: at Stripe $7.77 charged, $7.77 kept; here nothing`;
    const compared = await compareMoney(context, { since: new Date(Date.now() - 3_600_000), repair: false });
    expect(compared.exitCode).toBe(6);
    expect(compared.data).toMatchObject({ agree: false, differences: [{ orderId }] });
    expect(compared.text).toContain(sentence);
    const { data } = await runDoctor(context, { repair: false });
    expect(data).toMatchObject({
      findings: expect.arrayContaining([
        expect.objectContaining({ about: 'Books', level: 'problem', message: sentence }),
      ]),
    });

    // Given back by hand, nobody is owed anything.
    await world.stripe.refundAtDashboard(paymentIntentId);
    expect(await reconcile()).toMatchObject({ differing: 0, differences: [] });
    expect(await alarms()).toBe(before + 1);
    await world.cancel(order);
  },
  FOR_GOOD_MS,
);

test('the doctor prints the balance, and has orders told of what differs if it is to repair', async () => {
  const since = new Date(Date.now() - 3_600_000);
  const order = await world.orderWaitingForPayment([{ itemID: PENCIL, quantity: 3 }]);
  await loseAllEvents();
  await world.pay(order);
  const before = await compareMoney(context, { since, repair: false });
  expect(before.exitCode).toBe(6);
  expect(before.text).toContain(`Order ${order.orderId} (WAITING_FOR_PAYMENT), payment pi_`);
  expect((await world.order(order.orderId)).status, 'it only looks').toBe('WAITING_FOR_PAYMENT');
  const after = await compareMoney(context, { since, repair: true });
  expect(after.exitCode).toBe(0);
  expect(after.text).toContain('The books agree.');
  expect(after.text).toMatch(/USD +at Stripe +\$[\d,.]+ +\$/);
  await world.untilStatus(order.orderId, 'FINISHED');
}, 60_000);

test('the schedule is made where it is missing, and stays as an operator has changed it', async () => {
  const { namespace, taskQueuePrefix } = world.config.temporal;
  const { connection } = world.client;
  const warnings: unknown[] = [];
  const logger = { warn: (...line: unknown[]) => void warnings.push(line) };
  const ensure = (everyMs: number) =>
    ensureReconciliationSchedule(connection, { namespace, taskQueuePrefix, everyMs, logger });
  await ensure(3_600_000);
  const schedule = new ScheduleClient({ connection, namespace }).getHandle(reconciliationScheduleId(taskQueuePrefix));
  try {
    await schedule.pause('looking into it');
    await ensure(60_000);
    const { spec, state, policies } = await schedule.describe();
    expect(spec.intervals).toMatchObject([{ every: 3_600_000 }]);
    expect(state.paused).toBe(true);
    expect(policies.overlap).toBe('SKIP');
    const before = await findLastReconciliation(world.database);
    await schedule.trigger();
    await world.until(async () => {
      const last = await findLastReconciliation(world.database);
      expect(last?.startedAt).not.toEqual(before?.startedAt);
    });
    expect(warnings).toEqual([]);
  } finally {
    await schedule.delete();
  }
}, 60_000);

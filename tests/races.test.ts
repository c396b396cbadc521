import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OrderRecord } from '../database/orders.ts';
import { isTerminal } from '../domain/order-status.ts';
import { seededRandom } from '../dev/stripe-sandbox/trigger.ts';
import { rounds, seed } from './support/rounds.ts';
import { startWorld, type World } from './support/world.ts';

const RACES = rounds({ usual: 10, long: 50 });
const WINDOW_SECONDS = 3;
/** How far the two may be apart, either way. */
const SPREAD_MS = 50;
/** The first two races are none: who is this much earlier wins, so both ends are seen in every run. */
const SURELY_MS = [-1_500, 1_500];
/** Races that run side by side; more would only wait for each other. */
const AT_ONCE = 5;

describe(`a payment within ±${SPREAD_MS} ms of Stripe's closing of the page after`, () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ PAYMENT_WINDOW_SECONDS: String(WINDOW_SECONDS) });
    await world.database.query('UPDATE items SET initial = 100000, available = 100000');
    // An event that is not sent keeps the moment at which it was made.
    await world.stripe.addWebhookRule({
      types: ['checkout.session.expired'],
      action: { type: 'drop' },
      probability: 1,
    });
  });
  afterAll(() => world.stop());

  test(`the window's end: one consistent end each (${RACES} races, seed ${seed})`, async () => {
    const random = seededRandom(seed);
    let lagMs = await lagOfClosing(async (order) => windowEndOf(order));
    const ends = await inBatches(RACES, async (index) => {
      const order = await world.orderWaitingForPayment();
      await sleep(windowEndOf(order) + lagMs + (SURELY_MS[index] ?? jitter(random)) - Date.now());
      const { outcome } = await world.pay(order);
      const status = await endOf(order.orderId);
      expect(status).toBe(outcome === 'succeeded' ? 'FINISHED' : 'EXPIRED');
      if (SURELY_MS[index] === undefined) lagMs += follow(outcome);
      return { outcome, status };
    });
    report('window end', ends);
  }, 600_000);

  test(`a cancel: one consistent end each (${RACES} races, seed ${seed})`, async () => {
    const random = seededRandom(seed + 1);
    let lagMs = await lagOfClosing(async (order) => {
      const askedAtMs = Date.now();
      await world.cancel(order);
      return askedAtMs;
    });
    const ends = await inBatches(RACES, async (index) => {
      const order = await world.orderWaitingForPayment();
      const laterMs = lagMs + (SURELY_MS[index] ?? jitter(random));
      const [{ outcome }, answer] = await Promise.all([
        sleep(Math.max(0, laterMs)).then(() => world.pay(order)),
        sleep(Math.max(0, -laterMs)).then(() => world.cancel(order)),
      ]);
      const status = await endOf(order.orderId);
      // Who is told that the order is cancelled must find it so, and who is refused must get the goods.
      const without = outcome === 'succeeded' ? 'REFUNDED' : 'CANCELLED';
      expect(status).toBe(answer.status === 409 ? 'FINISHED' : without);
      const told = new Map([
        [200, [status]],
        [202, ['WAITING_FOR_PAYMENT']],
        [409, ['PAID', 'FINISHED']],
      ]);
      expect(told.get(answer.status)).toContain(answer.body.data['status']);
      if (SURELY_MS[index] === undefined) lagMs += follow(outcome);
      return { outcome, status };
    });
    report('cancel', ends);
  }, 600_000);

  /** How long after the moment that `end` gives Stripe closes the page of an unpaid order; the median of some. */
  async function lagOfClosing(end: (order: OrderRecord) => Promise<number>): Promise<number> {
    const lags = await inBatches(AT_ONCE, async () => {
      const order = await world.orderWaitingForPayment();
      const endedAtMs = await end(order);
      await endOf(order.orderId);
      const events = await world.stripe.events('checkout.session.expired');
      const closed = events.find((event) => (event.data.object as { id: string }).id === order.checkoutSessionId);
      const delivery = (await world.stripe.deliveries()).find(({ eventId }) => eventId === closed?.id);
      expect(delivery, `Stripe's closing of the page of ${order.orderId}`).toBeDefined();
      return delivery!.nextAttemptAtMs - endedAtMs;
    });
    return lags.toSorted((left, right) => left - right)[Math.floor(lags.length / 2)] ?? 0;
  }

  async function inBatches<T>(count: number, race: (index: number) => Promise<T>): Promise<T[]> {
    const results: T[] = [];
    while (results.length < count) {
      const batch = Math.min(AT_ONCE, count - results.length);
      const begun = results.length;
      results.push(...(await Promise.all(Array.from({ length: batch }, (_, index) => race(begun + index)))));
    }
    return results;
  }

  async function endOf(orderId: string): Promise<string> {
    return world.until(async () => {
      const { status } = await world.order(orderId);
      expect(isTerminal(status)).toBe(true);
      return status;
    });
  }
});

/** The row is written right before the window begins. */
function windowEndOf({ updatedAt }: OrderRecord): number {
  return updatedAt.getTime() + WINDOW_SECONDS * 1000;
}

/** The aim follows who wins, so that on a machine that is faster or slower by now both still do. */
function follow(outcome: string): number {
  return outcome === 'succeeded' ? SPREAD_MS / 5 : -SPREAD_MS / 5;
}

function jitter(random: () => number): number {
  return Math.round((random() * 2 - 1) * SPREAD_MS);
}

/** Says how often each side won, and sees that both did. */
function report(against: string, ends: readonly { readonly outcome: string; readonly status: string }[]): void {
  const counts = new Map<string, number>();
  for (const { outcome, status } of ends) {
    const what = `payment ${outcome}, ${status}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  const parts = [...counts].map(([what, count]) => `${count} × ${what}`);
  console.info(`Payment against ${against}, seed ${seed}: ${parts.join('; ')}`);
  const [paidFirst, closedFirst] = ends.map(({ outcome }) => outcome);
  expect([paidFirst, closedFirst]).toEqual(['succeeded', 'closed']);
}

import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { orderIdOfKey } from '../api/order-id.ts';
import { findOrder } from '../database/orders.ts';
import type { OrderStatus } from '../domain/order-status.ts';
import { type Fate, holdWrites } from './support/held-writes.ts';
import { startWorkerProcess } from './support/worker-process.ts';
import { newCustomer, ONE_PENCIL, startWorld, type World } from './support/world.ts';

/** Longer than Temporal waits for an activity of a worker that is gone, which is 30 s for Stripe, and then tries again. */
const HEALED_MS = 90_000;
const KEY = 'crash';

let world: World;
beforeAll(async () => {
  world = await startWorld({ CREATE_TIMEOUT_SECONDS: '60' });
});
afterAll(() => world.stop(), 120_000);

async function untilStatus(orderId: string, status: OrderStatus): Promise<void> {
  await world.until(async () => expect(await findOrder(world.database, orderId)).toMatchObject({ status }), HEALED_MS);
}

/** Pays the order as soon as it can be, and waits for its end. */
async function payAndFinish(orderId: string): Promise<void> {
  await untilStatus(orderId, 'WAITING_FOR_PAYMENT');
  await world.pay(await world.order(orderId));
  await untilStatus(orderId, 'FINISHED');
}

/** Asks until it is answered, which is once there is a worker again. */
async function cancelAsCustomer(order: { customerId: string; orderId: string }): Promise<void> {
  await world.until(async () => expect((await world.cancel(order)).status).toBe(200), HEALED_MS);
}

describe('a worker of the orders that is killed inside the write of a row', () => {
  const HAPPY = ['PENDING', 'WAITING_FOR_PAYMENT', 'PAID', 'FINISHED'] as const;

  type Case = {
    readonly at: (typeof HAPPY)[number];
    readonly fate: Fate;
    /** Who wants to cancel the order while it is so. */
    readonly cancel?: 'operator' | 'customer';
    readonly path: readonly OrderStatus[];
  };
  const cases: readonly Case[] = [
    ...HAPPY.map((at) => ({ at, fate: 'committed', path: HAPPY }) as const),
    ...HAPPY.map((at) => ({ at, fate: 'lost', path: HAPPY }) as const),
    { at: 'PENDING', fate: 'committed', cancel: 'operator', path: ['PENDING', 'CANCELLED'] },
    { at: 'PENDING', fate: 'lost', cancel: 'operator', path: ['PENDING', 'CANCELLED'] },
    // The row may say WAITING_FOR_PAYMENT already: that the cancel came is no reason to go another way now.
    ...(['operator', 'customer'] as const).flatMap((cancel) =>
      (['committed', 'lost'] as const).map(
        (fate) =>
          ({
            at: 'WAITING_FOR_PAYMENT',
            fate,
            cancel,
            path: ['PENDING', 'WAITING_FOR_PAYMENT', 'CANCELLED'],
          }) as const,
      ),
    ),
    {
      at: 'PAID',
      fate: 'committed',
      cancel: 'customer',
      path: ['PENDING', 'WAITING_FOR_PAYMENT', 'PAID', 'REFUNDED'],
    },
    { at: 'FINISHED', fate: 'committed', cancel: 'operator', path: HAPPY },
  ];

  test('goes on where the row stands, whoever cancels meanwhile', { timeout: 180_000 }, async () => {
    const worker = await startWorkerProcess(world, 'orders');
    const writes = await holdWrites(world);
    const orders = cases.map((one) => {
      const customerId = newCustomer();
      return { ...one, customerId, orderId: orderIdOfKey(customerId, KEY), bePaid: HAPPY.indexOf(one.at) >= 2 };
    });
    for (const { orderId, at, fate } of orders) await writes.hold(orderId, at, fate);

    const create = ({ customerId }: { customerId: string }) => world.create(customerId, ONE_PENCIL, KEY);
    const early = orders.filter(({ bePaid }) => bePaid);
    const created = early.map(create);
    for (const { orderId } of early) await untilStatus(orderId, 'WAITING_FOR_PAYMENT');
    // All at once: PostgreSQL gives up on a statement after some seconds.
    created.push(...orders.filter(({ bePaid }) => !bePaid).map(create));
    await Promise.all(early.map(async ({ orderId }) => world.pay(await world.order(orderId))));
    await writes.untilHeld(orders.length);

    const cancelled = orders.map(async ({ cancel, ...order }) => {
      if (cancel === 'operator') await world.client.workflow.getHandle(order.orderId).cancel();
      if (cancel === 'customer') await cancelAsCustomer(order);
    });
    await worker.crash();
    await writes.letGo();
    for (const { orderId, at, fate } of orders) {
      const before = HAPPY[HAPPY.indexOf(at) - 1];
      const status = (await findOrder(world.database, orderId))?.status;
      expect({ at, fate, status }).toEqual({ at, fate, status: fate === 'committed' ? at : before });
    }

    await world.startWorker('orders');
    await Promise.all([
      ...cancelled,
      ...orders
        .filter(({ bePaid, cancel }) => !bePaid && cancel === undefined)
        .map(({ orderId }) => payAndFinish(orderId)),
    ]);
    for (const answer of await Promise.all(created)) expect(answer).toMatchObject({ status: 200 });
    for (const { orderId, at, fate, cancel, path } of orders) {
      await untilStatus(orderId, path.at(-1)!);
      const { timeline } = await world.order(orderId);
      const gone = timeline.map(({ status }) => status);
      expect({ at, fate, cancel, path: gone }).toEqual({ at, fate, cancel, path });
    }
    console.info(`${orders.length} orders went on after their worker was killed inside a write`);
  });
});

describe('workers of the other queues that are killed at random moments', () => {
  const ORDERS = 8;
  const WITHIN_MS = 800;

  test('cost no order its way', { timeout: 240_000 }, async () => {
    const kinds = ['stock', 'payment', 'fulfillment'] as const;
    const [stock, payment, fulfillment] = await Promise.all(kinds.map((kind) => startWorkerProcess(world, kind)));
    async function crash(kind: (typeof kinds)[number], worker: typeof stock): Promise<string> {
      const afterMs = randomInt(WITHIN_MS);
      await sleep(afterMs);
      await worker!.crash();
      await world.startWorker(kind);
      return `${kind} after ${afterMs} ms`;
    }

    const creating = Array.from({ length: ORDERS }, () => world.create(newCustomer(), ONE_PENCIL, KEY));
    const killed = await Promise.all([crash('stock', stock), crash('payment', payment)]);
    const orderIds = (await Promise.all(creating)).map((answer) => {
      expect(answer).toMatchObject({ status: 200 });
      return answer.body.data.order_id;
    });
    for (const orderId of orderIds) await untilStatus(orderId, 'WAITING_FOR_PAYMENT');
    const finishing = orderIds.map(payAndFinish);
    killed.push(await crash('fulfillment', fulfillment));
    await Promise.all(finishing);

    let triedAgain = 0;
    for (const orderId of orderIds) {
      const { events } = await world.client.workflow.getHandle(orderId).fetchHistory();
      triedAgain += events?.filter((event) => (event.activityTaskStartedEventAttributes?.attempt ?? 1) > 1).length ?? 0;
      expect((await world.order(orderId)).timeline.map(({ status }) => status)).toEqual([
        'PENDING',
        'WAITING_FOR_PAYMENT',
        'PAID',
        'FINISHED',
      ]);
    }
    console.info(`Killed: ${killed.join(', ')}; ${ORDERS} orders finished, ${triedAgain} activities were tried again`);
  });
});

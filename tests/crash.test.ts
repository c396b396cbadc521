import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeTimeoutType } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { orderIdOfKey } from '../api/order-id.ts';
import { findOrder } from '../database/orders.ts';
import type { OrderStatus } from '../domain/order-status.ts';
import { holdLinks, payBeforeLink } from './support/early-payment.ts';
import { type Fate, holdWrites } from './support/held-writes.ts';
import { startWorkerProcess } from './support/worker-process.ts';
import { newCustomer, ONE_PENCIL, startWorld, type World } from './support/world.ts';

/** Longer than Temporal waits for an activity of a worker that is gone, and then tries again. */
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
    /** The payment comes before the order knows its link, so that two steps follow each other within one workflow task. */
    readonly isPaidEarly?: true;
    /** Who wants to cancel the order while it is so. */
    readonly cancel?: 'operator' | 'customer';
    readonly path: readonly OrderStatus[];
  };
  const cases: readonly Case[] = [
    ...HAPPY.map((at) => ({ at, fate: 'committed', path: HAPPY }) as const),
    ...HAPPY.map((at) => ({ at, fate: 'lost', path: HAPPY }) as const),
    { at: 'PAID', fate: 'committed', isPaidEarly: true, path: HAPPY },
    { at: 'PAID', fate: 'lost', isPaidEarly: true, path: HAPPY },
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
      const pays = one.isPaidEarly ? 'before its link' : HAPPY.indexOf(one.at) >= 2 ? 'before the crash' : 'after it';
      return { ...one, customerId, orderId: orderIdOfKey(customerId, KEY), pays };
    });
    for (const { orderId, at, fate } of orders) await writes.hold(orderId, at, fate);

    const create = ({ customerId }: { customerId: string }) => world.create(customerId, ONE_PENCIL, KEY);
    const waiting = orders.filter(({ pays }) => pays === 'before the crash');
    const paidEarly = orders.filter(({ pays }) => pays === 'before its link');
    const created = waiting.map(create);
    for (const { orderId } of waiting) await untilStatus(orderId, 'WAITING_FOR_PAYMENT');
    await holdLinks(world);
    created.push(...paidEarly.map(create));
    for (const { orderId } of paidEarly) await payBeforeLink(world, orderId);
    // All at once: PostgreSQL gives up on a statement after some seconds.
    await world.stripe.clearFaults();
    created.push(...orders.filter(({ pays }) => pays === 'after it').map(create));
    await Promise.all(waiting.map(async ({ orderId }) => world.pay(await world.order(orderId))));
    await writes.untilHeld(orders.length);

    const cancelling = Promise.allSettled(
      orders.map(async ({ cancel, ...order }) => {
        if (cancel === 'operator') await world.client.workflow.getHandle(order.orderId).cancel();
        if (cancel === 'customer') await cancelAsCustomer(order);
      }),
    );
    await worker.crash();
    await writes.letGo();
    for (const { orderId, at, fate } of orders) {
      const before = HAPPY[HAPPY.indexOf(at) - 1];
      await world.until(async () => {
        const status = (await findOrder(world.database, orderId))?.status;
        expect({ at, fate, status }).toEqual({ at, fate, status: fate === 'committed' ? at : before });
      });
    }

    await world.startWorker('orders');
    await Promise.all(
      orders
        .filter(({ pays, cancel }) => pays === 'after it' && cancel === undefined)
        .map(({ orderId }) => payAndFinish(orderId)),
    );
    expect((await cancelling).filter(({ status }) => status === 'rejected')).toEqual([]);
    for (const answer of await Promise.all(created)) expect(answer).toMatchObject({ status: 200 });
    for (const { orderId, at, fate, cancel, path } of orders) {
      await untilStatus(orderId, path.at(-1)!);
      const { timeline } = await world.order(orderId);
      const gone = timeline.map(({ status }) => status).filter((status, index, all) => status !== all[index - 1]);
      expect({ at, fate, cancel, path: gone }).toEqual({ at, fate, cancel, path });
    }
    console.info(`${orders.length} orders went on after their worker was killed inside a write`);
  });
});

describe('workers of the other queues that are killed at random moments of their work', () => {
  const KINDS = ['stock', 'payment', 'fulfillment'] as const;
  const GROUP = 3;
  const WITHIN_MS = 300;

  test('cost no order its way', { timeout: 240_000 }, async () => {
    const workers = await Promise.all(
      KINDS.map(async (kind) => ({ kind, worker: await startWorkerProcess(world, kind) })),
    );
    const createGroup = () => Array.from({ length: GROUP }, () => world.create(newCustomer(), ONE_PENCIL, KEY));
    const orderIdsOf = async (group: ReturnType<typeof createGroup>) =>
      (await Promise.all(group)).map(({ body }) => body.data.order_id);

    // A group of orders waits in each queue's work: for a shipment, for Stripe's answer, for stock.
    const toShip = await orderIdsOf(createGroup());
    for (const orderId of toShip) await untilStatus(orderId, 'WAITING_FOR_PAYMENT');
    await world.stripe.addFault({
      method: 'POST',
      path: '/v1/checkout/sessions',
      times: GROUP,
      action: { type: 'hold' },
    });
    const toPay = await orderIdsOf(createGroup());
    const gate = await world.database.connect();
    await gate.query('BEGIN; SELECT FROM items FOR UPDATE; LOCK TABLE shipments IN SHARE MODE');
    const toStock = createGroup();
    for (const orderId of toShip) await world.pay(await world.order(orderId));
    await world.until(async () => {
      expect((await world.stripe.faults()).map(({ holding }) => holding)).toEqual([GROUP]);
      expect(await waitingForLocks()).toEqual({ 'fulfillment-worker': GROUP, 'stock-worker': GROUP });
    });

    const killed = await Promise.all(
      workers.map(async ({ kind, worker }) => {
        const afterMs = randomInt(WITHIN_MS);
        await sleep(afterMs);
        await worker.crash();
        return `${kind} after ${afterMs} ms`;
      }),
    );
    await gate.query('ROLLBACK');
    gate.release();
    await world.stripe.clearFaults();
    await Promise.all(KINDS.map((kind) => world.startWorker(kind)));

    await Promise.all([
      ...toShip.map((orderId) => untilStatus(orderId, 'FINISHED')),
      ...toPay.map(payAndFinish),
      orderIdsOf(toStock).then((orderIds) => Promise.all(orderIds.map(payAndFinish))),
    ]);
    const orderIds = [...toShip, ...toPay, ...(await orderIdsOf(toStock))];
    for (const orderId of orderIds) {
      const { timeline } = await world.order(orderId);
      expect(timeline.map(({ status }) => status)).toEqual(['PENDING', 'WAITING_FOR_PAYMENT', 'PAID', 'FINISHED']);
    }
    const redone = (await Promise.all(orderIds.map(activitiesTriedAgain))).flat();
    expect(new Set(redone)).toEqual(
      new Set([
        'holdStock after START_TO_CLOSE',
        // Stripe may take long to answer, so this one says that it is alive.
        'createCheckoutSession after HEARTBEAT',
        'fulfillOrder after START_TO_CLOSE',
      ]),
    );
    const told = `Killed: ${killed.join(', ')}; ${orderIds.length} orders finished`;
    console.info(`${told}, ${redone.length} activities were tried again`);
  });

  /** How many connections of each process wait for a lock. */
  async function waitingForLocks(): Promise<Readonly<Record<string, number>>> {
    const { rows } = await world.database.query<{ name: string; count: number }>(
      `SELECT application_name AS name, count(*)::integer FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' GROUP BY 1`,
    );
    return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
  }

  async function activitiesTriedAgain(orderId: string): Promise<string[]> {
    const { events } = await world.client.workflow.getHandle(orderId).fetchHistory();
    const names = new Map(
      events?.map((event) => [
        String(event.eventId),
        event.activityTaskScheduledEventAttributes?.activityType?.name ?? '',
      ]),
    );
    return (events ?? [])
      .map((event) => event.activityTaskStartedEventAttributes)
      .filter((started) => (started?.attempt ?? 1) > 1)
      .map((started) => {
        const why = decodeTimeoutType(started?.lastFailure?.timeoutFailureInfo?.timeoutType);
        return `${names.get(String(started?.scheduledEventId))} after ${why}`;
      });
  }
});

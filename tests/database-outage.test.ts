import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { OrderStatus } from '../domain/order-status.ts';
import { startWorld, type World } from './support/world.ts';

/*
 * PostgreSQL refuses the row of one status for longer than a workflow task may wait: the writes from within the workflow
 * task fail for good, and an activity of its own goes on trying.
 */

let world: World;
beforeAll(async () => {
  world = await startWorld();
  await world.database.query(`
    CREATE TABLE refused_statuses (status text PRIMARY KEY);
    CREATE FUNCTION refuse_status() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT FROM refused_statuses WHERE status = NEW.status) THEN
        RAISE EXCEPTION 'the disk is full' USING ERRCODE = '53100';
      END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER refuse_status BEFORE INSERT ON order_timeline FOR EACH ROW EXECUTE FUNCTION refuse_status();`);
});
afterEach(() => world.database.query('DELETE FROM refused_statuses'));
afterAll(() => world.stop());

async function refuse(status: OrderStatus): Promise<void> {
  await world.database.query('INSERT INTO refused_statuses VALUES ($1)', [status]);
}

/** Waits until the writes from within the workflow task have been given up on. */
async function untilWrittenRemotely(orderId: string): Promise<void> {
  await world.until(async () => {
    const { raw } = await world.client.workflow.getHandle(orderId).describe();
    const pending = (raw.pendingActivities ?? []).map(({ activityType }) => activityType?.name);
    expect(pending.some((name) => name === 'recordOrder' || name === 'recordTimelineEntry')).toBe(true);
  });
}

describe.sequential('a row that cannot be written at once', () => {
  test('of a new order: the create waits, and the order goes on', async () => {
    await refuse('PENDING');
    const created = world.create('customer-1', [{ itemID: 'prod_SNjQpQjNC8QuaD', quantity: 1 }], 'the key');
    await world.until(async () => {
      const held = await world.database.query('SELECT FROM reservations WHERE state = $1', ['held']);
      expect(held.rowCount).toBeGreaterThan(0);
    });
    const { rows } = await world.database.query<{ order_id: string }>(
      `SELECT order_id FROM reservations WHERE state = 'held'`,
    );
    const orderId = rows[0]?.order_id ?? '';
    await untilWrittenRemotely(orderId);
    await world.database.query('DELETE FROM refused_statuses');
    expect(await created).toMatchObject({ status: 200, body: { data: { order_id: orderId } } });
    await world.pay(await world.untilStatus(orderId, 'WAITING_FOR_PAYMENT'));
    await world.untilStatus(orderId, 'FINISHED');
  });

  test.each(['WAITING_FOR_PAYMENT', 'PAID', 'FINISHED'] as const)(
    '%s: nothing is undone, and the order goes on',
    async (status) => {
      await refuse(status);
      const order = status === 'WAITING_FOR_PAYMENT' ? await world.newOrder() : await world.orderWaitingForPayment();
      if (status !== 'WAITING_FOR_PAYMENT') await world.pay(order);
      await untilWrittenRemotely(order.orderId);
      await world.database.query('DELETE FROM refused_statuses');
      const written = await world.untilEvent(
        order.orderId,
        status === 'WAITING_FOR_PAYMENT' ? 'payment.requested' : 'order.paid',
      );
      if (status === 'WAITING_FOR_PAYMENT') await world.pay(written);
      await world.untilStatus(order.orderId, 'FINISHED');
      expect((await world.stripe.ledger(order.orderId)).charges).toMatchObject([{ amountRefundedMinor: 0 }]);
    },
  );

  test('CANCELLED: who cancelled is answered once the row says so', async () => {
    const order = await world.orderWaitingForPayment();
    await refuse('CANCELLED');
    const answer = world.cancel(order);
    await untilWrittenRemotely(order.orderId);
    expect((await world.order(order.orderId)).status).toBe('WAITING_FOR_PAYMENT');
    await world.database.query('DELETE FROM refused_statuses');
    expect([200, 202]).toContain((await answer).status);
    await world.untilStatus(order.orderId, 'CANCELLED');
  });
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Context, createContext } from '../cli/context.ts';
import { aftercareWorkflowId, refundWorkflowId } from '../contracts/messages.ts';
import type { Finding } from '../cli/doctor/finding.ts';
import { runDoctor } from '../cli/doctor/doctor.ts';
import type { OrderRecord } from '../database/orders.ts';
import type { Config } from '../platform/config.ts';
import { createStripe } from '../platform/stripe.ts';
import { PENCIL, startWorld, type World } from './support/world.ts';

describe('the doctor', () => {
  let world: World;
  let context: Context;
  beforeAll(async () => {
    world = await startWorld();
    context = contextOf(world.config);
  });
  afterAll(async () => {
    await context.close();
    await world.stop();
  });

  function contextOf(config: Config): Context {
    return createContext({ config, stackFile: undefined, stripeKeyIsElsewhere: false });
  }

  /** What the doctor finds wrong. */
  async function problems(asked: Context = context, repair = false): Promise<Finding[]> {
    const { data } = await runDoctor(asked, { repair });
    return (data as { findings: Finding[] }).findings.filter(({ level }) => level === 'problem');
  }

  /** The order's workflow is gone, as after an operator's slip or with Temporal's data. */
  async function lose({ orderId }: OrderRecord): Promise<void> {
    const handle = world.client.workflow.getHandle(orderId);
    await world.until(async () => expect((await handle.describe()).raw.pendingWorkflowTask).toBeNull());
    await handle.terminate('lost, for a test');
    // Temporal's lists lag behind a little.
    await world.until(async () => {
      expect(await problems()).toMatchObject([{ about: 'Orders', orderIds: [orderId] }]);
    });
  }

  async function repaired({ orderId }: OrderRecord): Promise<OrderRecord> {
    expect(await problems(context, true)).toEqual([]);
    return world.order(orderId);
  }

  test('cancels a lost order that is unpaid, once nobody can pay it any more', async () => {
    const available = await world.stockOf(PENCIL);
    const order = await world.orderWaitingForPayment();
    await lose(order);
    expect(await repaired(order)).toMatchObject({ status: 'CANCELLED' });
    expect(await world.stripe.sessions(order.orderId)).toMatchObject([{ status: 'expired' }]);
    expect(await world.stockOf(PENCIL)).toBe(available);
  });

  test('takes up a lost order also when Temporal has forgotten its workflow', async () => {
    const order = await world.orderWaitingForPayment();
    await lose(order);
    await world.forgetWorkflow(order.orderId);
    expect(await repaired(order)).toMatchObject({ status: 'CANCELLED' });
  }, 90_000);

  test('gives back what was paid for a lost order before anybody looked, once', async () => {
    const order = await world.orderWaitingForPayment();
    await world.stripe.addWebhookRule({ action: { type: 'drop' } });
    await lose(order);
    await world.pay(order);
    await world.stripe.clearWebhookRules();
    expect(await repaired(order)).toMatchObject({ status: 'REFUNDED' });
    expect((await world.stripe.ledger(order.orderId)).refunds).toHaveLength(1);
  });

  test('settles a payment that found no workflow, once', async () => {
    const order = await world.orderWaitingForPayment();
    await lose(order);
    const { paymentIntentId } = await world.pay(order);
    // Aftercare leaves it to whoever takes up the order, which may still be about to take the payment as its own.
    await world.until(() => world.workflowResult(aftercareWorkflowId(paymentIntentId!)));
    expect((await world.stripe.ledger(order.orderId)).refunds).toEqual([]);
    expect(await repaired(order)).toMatchObject({ status: 'REFUNDED' });
    expect((await world.stripe.ledger(order.orderId)).refunds).toHaveLength(1);
  });

  describe('of an order that is paid and not shipped', () => {
    async function paidOrder(): Promise<OrderRecord> {
      await world.stopWorker('fulfillment');
      const order = await world.orderWaitingForPayment();
      await world.pay(order);
      const paid = await world.untilStatus(order.orderId, 'PAID');
      await lose(paid);
      await world.startWorker('fulfillment');
      return paid;
    }

    test('ships it', async () => {
      const order = await paidOrder();
      expect(await repaired(order)).toMatchObject({ status: 'FINISHED' });
      expect((await world.stripe.ledger(order.orderId)).refunds).toEqual([]);
    });

    test('does not ship it if its money was refunded by hand', async () => {
      const available = await world.stockOf(PENCIL);
      const order = await paidOrder();
      await createStripe(world.config.stripe).refunds.create({ payment_intent: order.paymentIntentId ?? '' });
      expect(await repaired(order)).toMatchObject({ status: 'REFUNDED', trackingNumber: null });
      expect((await world.stripe.ledger(order.orderId)).refunds).toHaveLength(1);
      expect(await world.stockOf(PENCIL)).toBe(available);
    });
  });

  test('goes on with a refund that was decided on and whose workflow is gone', async () => {
    const { orderId } = await world.finishedOrder();
    await world.workflowResult(orderId);
    await world.stripe.refuseRefunds(1_000, false);
    await context.orderWorkflow.refund({ orderId, status: 'FINISHED' }, { restock: true, reason: 'Broken.' });
    await world.client.workflow.getHandle(refundWorkflowId(orderId)).terminate('lost, for a test');
    await world.stripe.clearFaults();
    expect(await problems()).toMatchObject([{ about: 'Refunds', orderIds: [orderId] }]);
    expect(await problems(context, true)).toEqual([]);
    const refunded = await world.untilStatus(orderId, 'REFUNDED');
    expect(refunded.timeline.at(-1)?.detail).toBe(
      'Broken. The payment was refunded in full. The goods are back in stock.',
    );
  });

  test('gives back stock that is held for what never was an order', async () => {
    const orderId = '0123456789abcdef01234567';
    await world.database.query(
      "INSERT INTO reservations (order_id, run_id, state, created_at) VALUES ($1, 'run', 'held', now() - interval '1 hour')",
      [orderId],
    );
    await world.database.query('INSERT INTO reservation_lines (order_id, item_id, quantity) VALUES ($1, $2, 3)', [
      orderId,
      PENCIL,
    ]);
    await world.database.query('UPDATE items SET available = available - 3 WHERE item_id = $1', [PENCIL]);
    const available = await world.stockOf(PENCIL);
    expect(await problems()).toMatchObject([{ about: 'Stock', orderIds: [orderId] }]);
    expect(await problems(context, true)).toEqual([]);
    expect(await world.stockOf(PENCIL)).toBe(available + 3);
  });

  test('notices stock that was changed by hand', async () => {
    await world.database.query('UPDATE items SET available = available - 1 WHERE item_id = $1', [PENCIL]);
    expect(await problems()).toMatchObject([{ about: 'Stock', message: expect.stringContaining('Pencil') }]);
    await world.database.query('UPDATE items SET available = available + 1 WHERE item_id = $1', [PENCIL]);
    expect(await problems()).toEqual([]);
  });

  test('notices a receiver with another secret, and queues without workers', async () => {
    const { config } = world;
    const other = contextOf({
      ...config,
      stripe: { ...config.stripe, endpointSecrets: ['whsec_another'] },
      temporal: { ...config.temporal, taskQueuePrefix: 'nobody-is-here-' },
    });
    const found = await problems(other);
    await other.close();
    expect(found.filter(({ about }) => about === 'Webhook')).toMatchObject([
      { message: expect.stringContaining('it runs with another secret') },
    ]);
    expect(found.filter(({ about }) => about === 'Workers').map(({ message }) => message)).toEqual([
      expect.stringContaining('workflow tasks of task queue nobody-is-here-orders'),
      expect.stringContaining('activity tasks of task queue nobody-is-here-orders'),
      expect.stringContaining('task queue nobody-is-here-stock'),
      expect.stringContaining('task queue nobody-is-here-payment'),
      expect.stringContaining('task queue nobody-is-here-fulfillment'),
    ]);
  });

  test('notices migrations that have not run', async () => {
    const gone = await world.database.query(
      "DELETE FROM schema_migrations WHERE name LIKE '0001%' RETURNING name, run_on",
    );
    expect(await problems()).toMatchObject([{ about: 'PostgreSQL', message: expect.stringContaining('0001') }]);
    const [row] = gone.rows as { name: string; run_on: Date }[];
    await world.database.query('INSERT INTO schema_migrations (name, run_on) VALUES ($1, $2)', [
      row?.name,
      row?.run_on,
    ]);
  });
});

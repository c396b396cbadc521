import { randomBytes } from 'node:crypto';
import {
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type WorkflowIdReusePolicy,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import type { Workflow } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CANCEL_UPDATE,
  CANCEL_UPDATE_ID,
  CREATE_UPDATE,
  CREATE_UPDATE_ID,
  type CreateResult,
  ORDER_LIFECYCLE,
  type OrderLifecycleInput,
} from '../contracts/messages.ts';
import type { OrderRecord } from '../database/orders.ts';
import { orderPolicy } from '../api/order-policy.ts';
import { BOOK, PENCIL, startWorld, type World } from './support/world.ts';

type Start = {
  readonly orderId: string;
  readonly itemId?: string;
  readonly reuse?: WorkflowIdReusePolicy;
  /** Null: none of ours, so that the client makes a new one. */
  readonly updateId?: string | null;
  readonly update?: string;
  /** Where no worker is. */
  readonly queue?: string;
  readonly deadlineMs?: number;
};

const REUSE_POLICIES = ['REJECT_DUPLICATE', 'ALLOW_DUPLICATE', 'ALLOW_DUPLICATE_FAILED_ONLY'] as const;
const newOrderId = () => randomBytes(12).toString('hex');

/** What the create stands on: an update of Temporal's that a later version may treat otherwise is noticed here. */
describe('update-with-start', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.stop());

  test('with the same update id and another input, while it runs: the first answer, silently', async () => {
    const orderId = newOrderId();
    const first = await create({ orderId });
    expect(first).toMatchObject({ requestHash: `hash of ${PENCIL}`, refusal: null });
    expect(await create({ orderId, itemId: BOOK })).toEqual(first);
    expect((await world.order(orderId)).lines).toMatchObject([{ itemId: PENCIL }]);
  });

  test.each(REUSE_POLICIES)(
    'with the same update id, once it has ended, under %s: the first answer, and no second run',
    async (reuse) => {
      const { orderId } = await endedOrder();
      const first = await create({ orderId });
      expect(await create({ orderId, itemId: BOOK, reuse })).toEqual(first);
      expect(await runsOf(orderId)).toHaveLength(1);
    },
  );

  test('of a workflow that was terminated before a worker took the update: only the policy keeps a second run away', async () => {
    const orderId = newOrderId();
    const queue = 'nobody-works-here';
    const handle = world.client.workflow.getHandle(orderId);
    const timesOut = { orderId, queue, deadlineMs: 700 };
    await expect(create(timesOut)).rejects.toThrow(WorkflowUpdateRPCTimeoutOrCancelledError);
    await handle.terminate('to see what becomes of the update');
    await expect(create({ orderId, queue })).rejects.toThrow(WorkflowExecutionAlreadyStartedError);
    expect(await runsOf(orderId)).toHaveLength(1);
    await expect(create({ ...timesOut, reuse: 'ALLOW_DUPLICATE' })).rejects.toThrow(
      WorkflowUpdateRPCTimeoutOrCancelledError,
    );
    await handle.terminate('tidied up');
    expect(await runsOf(orderId)).toHaveLength(2);
  });

  test('with another update id, once it has ended, under REJECT_DUPLICATE: refused', async () => {
    const { orderId } = await endedOrder();
    await expect(create({ orderId, updateId: 'another' })).rejects.toThrow(WorkflowExecutionAlreadyStartedError);
    expect(await runsOf(orderId)).toHaveLength(1);
  });

  test('without an update id, once it has ended, under the default policy: a second run, which the stock refuses', async () => {
    const order = await endedOrder();
    const { orderId } = order;
    const second = await create({ orderId, updateId: null, reuse: 'ALLOW_DUPLICATE' });
    expect(second.refusal).toEqual({ reason: 'orderExists' });
    expect(await runsOf(orderId)).toHaveLength(2);
    expect(await world.workflowResult(orderId)).toMatchObject({ status: 'REFUSED' });
    expect(await world.order(orderId)).toEqual(order);
  });

  test('with no worker: it waits until the caller’s deadline, and the workflow exists', async () => {
    const orderId = newOrderId();
    await expect(create({ orderId, queue: 'nobody-works-here', deadlineMs: 700 })).rejects.toThrow(
      WorkflowUpdateRPCTimeoutOrCancelledError,
    );
    const handle = world.client.workflow.getHandle(orderId);
    expect((await handle.describe()).status.name).toBe('RUNNING');
    await handle.terminate('tidied up');
    await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
  });

  test('of an update that the workflow refuses: the refusal is not kept, and the order goes on', async () => {
    const { orderId } = await world.orderWaitingForPayment();
    const handle = world.client.workflow.getHandle(orderId);
    const refund = () =>
      handle.executeUpdate('refund', { updateId: 'refund', args: [{ restock: true, reason: 'A test.' }] });
    await expect(refund()).rejects.toThrow(WorkflowUpdateFailedError);
    await expect(refund()).rejects.toThrow(WorkflowUpdateFailedError);
    expect((await handle.describe()).status.name).toBe('RUNNING');
  });

  test('of a workflow that was terminated with the update under way: refused, and no second run', async () => {
    const orderId = newOrderId();
    await world.stopWorker('stock');
    const created = create({ orderId });
    created.catch(() => {}); // it is looked at below
    const handle = world.client.workflow.getHandle(orderId);
    await world.until(async () => {
      const { events } = await handle.fetchHistory();
      expect(events?.some((event) => event.workflowExecutionUpdateAcceptedEventAttributes)).toBe(true);
    });
    await handle.terminate('to see what becomes of the update');
    await expect(created).rejects.toThrow(WorkflowUpdateFailedError);
    await expect(create({ orderId })).rejects.toThrow(WorkflowExecutionAlreadyStartedError);
    expect(await runsOf(orderId)).toHaveLength(1);
    await world.startWorker('stock');
  });

  test.each(REUSE_POLICIES)('that failed, once it has ended, under %s: the first failure again', async (reuse) => {
    const orderId = newOrderId();
    // A request that is refused never becomes an order that could be cancelled.
    const cancel = { orderId, itemId: 'unknown', update: CANCEL_UPDATE, updateId: CANCEL_UPDATE_ID };
    await expect(create(cancel)).rejects.toThrow(WorkflowUpdateFailedError);
    expect(await world.workflowResult(orderId)).toMatchObject({ status: 'REFUSED' });
    await expect(create({ ...cancel, reuse })).rejects.toMatchObject({
      cause: { message: `Order ${orderId} was refused` },
    });
    expect(await runsOf(orderId)).toHaveLength(1);
  });

  /** What the orders API does, with each of its choices open. */
  async function create({
    orderId,
    itemId = PENCIL,
    reuse = 'REJECT_DUPLICATE',
    updateId = CREATE_UPDATE_ID,
    update = CREATE_UPDATE,
    queue = 'orders',
    deadlineMs = 20_000,
  }: Start): Promise<CreateResult> {
    const { publicUrl, temporal } = world.config;
    const input: OrderLifecycleInput = {
      orderId,
      customerId: 'customer',
      lines: [{ itemId, quantity: 1 }],
      requestHash: `hash of ${itemId}`,
      keyed: true,
      traceId: '1'.repeat(32),
      traceparent: `00-${'1'.repeat(32)}-${'1'.repeat(16)}-01`,
      successUrl: `${publicUrl}/payment/return`,
      cancelUrl: `${publicUrl}/payment`,
      policy: orderPolicy(world.config),
    };
    const startWorkflowOperation = new WithStartWorkflowOperation(ORDER_LIFECYCLE, {
      workflowId: orderId,
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowIdReusePolicy: reuse,
      taskQueue: `${temporal.taskQueuePrefix}${queue}`,
      args: [input],
    });
    return world.client.withDeadline(Date.now() + deadlineMs, () =>
      world.client.workflow.executeUpdateWithStart<Workflow, CreateResult, [object]>(update, {
        startWorkflowOperation,
        args: [{ reason: 'A test.' }],
        ...(updateId === null ? {} : { updateId }),
      }),
    );
  }

  async function endedOrder(): Promise<OrderRecord> {
    const orderId = newOrderId();
    await create({ orderId });
    const order = await world.untilStatus(orderId, 'WAITING_FOR_PAYMENT');
    await world.cancel(order);
    await world.workflowResult(orderId);
    return world.order(orderId);
  }

  async function runsOf(orderId: string): Promise<string[]> {
    return world.until(async () => {
      const runs: string[] = [];
      const query = `WorkflowId = '${orderId}'`;
      for await (const { runId } of world.client.workflow.list({ query })) runs.push(runId);
      expect(runs.length).toBeGreaterThan(0);
      return runs;
    });
  }
});

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { History } from '@temporalio/common/lib/proto-utils.js';
import { must } from '../../domain/must.ts';
import { BARE_TASK_QUEUE } from './bare/task-queue.ts';
import { billableActions } from './history.ts';
import { medianLatencyMs, throughput } from './measure.ts';
import { createOrders } from './orders.ts';
import { cpuTimesMs, residentBytes } from './processes.ts';
import { replayCpuMs } from './replay.ts';
import { BARE_BUILD, type BenchStack } from './stack.ts';

const LATENCIES = 50;
const CLIENTS = 50;
/** Until a server has written down what it did last. */
const SETTLE_MS = 3000;
const MEGABYTE = 1_000_000;

/** One thing that was measured, of the product and of the bare workflow if that has it too. */
export type Figure = {
  readonly name: string;
  readonly unit: string;
  readonly order: number;
  readonly bare?: number | undefined;
};

/**
 * What is measured of one stack.
 *
 * @param orders of one round
 */
export function createMeasurement(stack: BenchStack, orders: number) {
  const shop = createOrders(stack);
  let finishedId = '';
  let bareId = '';

  async function bare(): Promise<void> {
    bareId = `bare-${randomUUID()}`;
    await stack.client.workflow.execute('bareOrder', { taskQueue: BARE_TASK_QUEUE, workflowId: bareId });
  }

  async function complete(): Promise<void> {
    finishedId = await shop.complete();
  }

  async function historyOf(workflowId: string): Promise<History> {
    return stack.client.workflow.getHandle(workflowId).fetchHistory();
  }

  /** Runs so many orders side by side. Returns how many in a second, and CPU time of each process for one, in ms. */
  async function load(once: () => Promise<unknown>) {
    const before = cpuTimesMs(stack.processes);
    const perSecond = await throughput(CLIENTS, orders, once);
    await delay(SETTLE_MS);
    const after = cpuTimesMs(stack.processes);
    const cpuMs = (name: string): number => (must(after[name], name) - must(before[name], name)) / orders;
    return { perSecond, cpuMs };
  }

  return {
    async warmUp(): Promise<void> {
      await throughput(CLIENTS, CLIENTS * 2, complete);
      await throughput(CLIENTS, CLIENTS * 2, bare);
    },

    async round(): Promise<Figure[]> {
      const createMs = await medianLatencyMs(LATENCIES, async () => {
        const startedAt = performance.now();
        const orderId = await shop.create();
        const tookMs = performance.now() - startedAt;
        // The payment link is made after the answer, and is no part of the next create.
        await shop.untilStatus(orderId, 'WAITING_FOR_PAYMENT');
        return tookMs;
      });
      const bareMs = await medianLatencyMs(LATENCIES, async () => {
        const startedAt = performance.now();
        await bare();
        return performance.now() - startedAt;
      });
      const ours = await load(complete);
      const theirs = await load(bare);
      const created: string[] = [];
      const createsPerSecond = await throughput(CLIENTS, orders, async () => created.push(await shop.create()));
      await Promise.all(created.map((orderId) => shop.untilStatus(orderId, 'WAITING_FOR_PAYMENT')));
      const bundle = join(stack.checkout, 'dist/workflow-bundle.cjs');
      const edges = ['Orders API', 'Webhook receiver', 'Stripe sandbox', 'PostgreSQL'];
      const own = ['Temporal', 'Workers', ...edges];
      const sum = (names: readonly string[]): number => names.reduce((all, name) => all + ours.cpuMs(name), 0);
      const bareWorkerMs = theirs.cpuMs('Bare worker');
      return [
        { name: `create, 1 client, median of ${LATENCIES}`, unit: 'ms', order: createMs, bare: bareMs },
        {
          name: `create to FINISHED, ${CLIENTS} clients`,
          unit: '/s',
          order: ours.perSecond,
          bare: theirs.perSecond,
        },
        { name: `creates alone, ${CLIENTS} clients`, unit: '/s', order: createsPerSecond, bare: theirs.perSecond },
        {
          name: 'CPU an order: Temporal server',
          unit: 'ms',
          order: ours.cpuMs('Temporal'),
          bare: theirs.cpuMs('Temporal'),
        },
        { name: 'CPU an order: workers', unit: 'ms', order: ours.cpuMs('Workers'), bare: bareWorkerMs },
        ...edges.map((name) => ({ name: `CPU an order: ${name}`, unit: 'ms', order: ours.cpuMs(name) })),
        {
          name: 'CPU an order: in all',
          unit: 'ms',
          order: sum(own),
          bare: theirs.cpuMs('Temporal') + bareWorkerMs,
        },
        {
          name: 'CPU of one replay',
          unit: 'ms',
          order: await replayCpuMs(stack.state.path, bundle, await historyOf(finishedId)),
          bare: await replayCpuMs(stack.state.path, join(BARE_BUILD, 'workflows.js'), await historyOf(bareId)),
        },
      ];
    },

    /**
     * What needs no second round.
     *
     * @param waiting orders that are made and wait for their payment, for the memory that they take
     */
    async once(waiting: number): Promise<Figure[]> {
      const [ours, theirs] = [await historyOf(finishedId), await historyOf(bareId)];
      const workers = must(stack.processes['Workers']?.(), 'the process of the workers');
      const server = must(stack.processes['Temporal']?.(), 'the process of the Temporal server');
      const before = { bytes: residentBytes(workers), cached: await cachedWorkflows(stack) };
      const created: string[] = [];
      await throughput(CLIENTS, waiting, async () => created.push(await shop.create()));
      await Promise.all(created.map((orderId) => shop.untilStatus(orderId, 'WAITING_FOR_PAYMENT')));
      const after = { bytes: residentBytes(workers), cached: await cachedWorkflows(stack) };
      return [
        { name: 'events of an order', unit: '', order: ours.events?.length ?? 0, bare: theirs.events?.length ?? 0 },
        { name: 'billable actions of an order', unit: '', order: billableActions(ours), bare: billableActions(theirs) },
        { name: 'memory of the workers, before', unit: 'MB', order: before.bytes / MEGABYTE },
        { name: `memory of the workers, ${waiting} orders wait`, unit: 'MB', order: after.bytes / MEGABYTE },
        { name: 'memory of the Temporal server, then', unit: 'MB', order: residentBytes(server) / MEGABYTE },
        { name: 'orders in the cache, before', unit: '', order: before.cached },
        { name: 'orders in the cache, after', unit: '', order: after.cached },
      ];
    },
  };
}

/** How many workflows the workers keep in memory, as their own metrics say. */
async function cachedWorkflows({ workersMetricsUrl }: BenchStack): Promise<number> {
  const text = await (await fetch(workersMetricsUrl)).text();
  const sizes = [...text.matchAll(/^temporal_sticky_cache_size\{[^}]*\} (\d+)/gm)].map(([, size]) => Number(size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

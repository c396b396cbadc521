import type { NativeConnection } from '@temporalio/worker';
import { taskQueues } from '../contracts/messages.ts';
import type { Database } from '../database/database.ts';
import { countOpenOrders } from '../database/order-statistics.ts';
import { readBooksState } from '../database/reconciliations.ts';
import type { Metrics } from '../platform/metrics.ts';
import { TASK_QUEUE_TYPES } from '../platform/task-queues.ts';
import type { WorkerKind } from './worker.ts';

/** Metrics of the orders that have not ended; a stuck order shows by its age. */
export function watchOpenOrders(metrics: Metrics, database: Database): void {
  metrics.watch('orders_open', 'Orders that have not ended, by status.', ['status'], async () =>
    (await countOpenOrders(database)).map(({ status, count }) => ({ labels: { status }, value: count })),
  );
  metrics.watch(
    'orders_open_oldest_age_seconds',
    'How long the longest unchanged open order has waited, by status; 0 if there is none.',
    ['status'],
    async () =>
      (await countOpenOrders(database)).map(({ status, oldestSeconds }) => ({
        labels: { status },
        value: oldestSeconds,
      })),
  );
}

/** Metrics of the comparison with Stripe. */
export function watchBooks(metrics: Metrics, database: Database): void {
  metrics.watch(
    'books_differing_payments',
    'Payments of which the rows say something else than Stripe, as the last comparison found.',
    [],
    async () => [{ labels: {}, value: (await readBooksState(database)).differing }],
  );
  metrics.watch(
    'books_last_complete_age_seconds',
    'How long ago the last complete comparison with Stripe began; not there before the first one.',
    [],
    async () => {
      const { lastCompleteAgeSeconds } = await readBooksState(database);
      return lastCompleteAgeSeconds === null ? [] : [{ labels: {}, value: lastCompleteAgeSeconds }];
    },
  );
}

/** Metrics of the backlog of the task queues, which grows if there are too few workers, or none. */
export function watchTaskQueues(
  metrics: Metrics,
  options: {
    readonly connection: NativeConnection;
    readonly namespace: string;
    readonly taskQueuePrefix: string;
    readonly kinds: readonly WorkerKind[];
  },
): void {
  const { connection, namespace, taskQueuePrefix, kinds } = options;
  metrics.watch(
    'task_queue_backlog',
    'Tasks that wait for a worker, by task queue and kind of task; Temporal counts them approximately.',
    ['task_queue', 'task_type'],
    async () =>
      Promise.all(
        kinds.flatMap((kind) => {
          const name = taskQueues(taskQueuePrefix)[kind];
          return Object.entries(TASK_QUEUE_TYPES).map(async ([type, taskQueueType]) => {
            const { stats } = await connection.workflowService.describeTaskQueue({
              namespace,
              taskQueue: { name },
              taskQueueType,
              reportStats: true,
            });
            return {
              labels: { task_queue: name, task_type: type },
              value: Number(stats?.approximateBacklogCount ?? 0),
            };
          });
        }),
      ),
  );
}

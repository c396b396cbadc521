import type { Worker } from '@temporalio/worker';
import { checkDatabase, createDatabase } from '../database/database.ts';
import { runProcess } from '../platform/run-process.ts';
import { ensureSearchAttributes } from '../platform/search-attributes.ts';
import { ensureReconciliationSchedule } from '../platform/schedules.ts';
import { createStripe } from '../platform/stripe.ts';
import { connectTemporalNative, installTemporalRuntime } from '../platform/temporal-worker.ts';
import { createFulfillmentService, createWorker, type WorkerKind } from './worker.ts';
import { watchBooks, watchOpenOrders, watchTaskQueues } from './watch.ts';
import { workflowBundle } from './workflow-bundle.ts';

type WorkerProcess = {
  /** The process's name in logs and traces. */
  readonly name: string;
  readonly kinds: readonly WorkerKind[];
  /** The port of health checks and metrics unless a setting says otherwise. */
  readonly operationsPort: number;
};

/** Runs the workers of a process until it is stopped; running activities may finish first. */
export async function runWorkers({ name, kinds, operationsPort }: WorkerProcess): Promise<void> {
  await runProcess({
    name,
    operationsPort,
    // Workers apply the grace period to their activities, and then need a moment to report the results to Temporal.
    extraGraceMs: 5000,
    installRuntime: installTemporalRuntime,
    connect: connectTemporalNative,
    prepare: ({ config, logger, metrics, atEnd }) => {
      const database = createDatabase({ ...config.database, name, logger });
      atEnd(() => database.end());
      let workers: readonly Worker[] = [];
      return {
        checks: {
          database: () => checkDatabase(database),
          workers: async () => assertRunning(workers),
        },
        work: async ({ connection, plugins, stopping }) => {
          const { namespace, taskQueuePrefix } = config.temporal;
          await ensureSearchAttributes(connection, namespace);
          if (kinds.includes('orders')) {
            const everyMs = config.reconcileEveryMs;
            await ensureReconciliationSchedule(connection, { namespace, taskQueuePrefix, everyMs, logger });
            watchOpenOrders(metrics, database);
            watchBooks(metrics, database);
          }
          watchTaskQueues(metrics, { connection, namespace, taskQueuePrefix, kinds });
          const dependencies = {
            connection,
            namespace,
            taskQueuePrefix,
            database,
            stripe: createStripe(config.stripe),
            fulfillment: createFulfillmentService(config, database),
            stripeRetryMaxMs: config.stripeRetryMaxMs,
            stripeIsReal: config.stripe.sandboxUrl === undefined,
            workflowBundle: await workflowBundle(),
            plugins,
            shutdownGraceMs: config.shutdownGraceMs,
          };
          workers = await Promise.all(kinds.map((kind) => createWorker(kind, dependencies)));
          const shutDown = (): void => {
            for (const worker of workers) worker.shutdown();
          };
          const running = Promise.all(workers.map((worker) => worker.run()));
          // If the stop came while they were being created, they have missed its event.
          if (stopping.aborted) shutDown();
          else stopping.addEventListener('abort', shutDown);
          await running;
        },
      };
    },
  });
}

function assertRunning(workers: readonly Worker[]): void {
  if (workers.length === 0) throw new Error('not started yet');
  const idle = workers.filter((worker) => worker.getState() !== 'RUNNING');
  if (idle.length > 0) throw new Error(`not running: ${idle.map((worker) => worker.options.taskQueue).join(', ')}`);
}

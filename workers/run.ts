import process from 'node:process';
import type { NativeConnection, Worker } from '@temporalio/worker';
import closeWithGrace from 'close-with-grace';
import { checkDatabase, createDatabase } from '../database/database.ts';
import { type Config, ConfigError, loadConfig } from '../platform/config.ts';
import { createLogger } from '../platform/logger.ts';
import { createMetrics, metricsPage } from '../platform/metrics.ts';
import { startOperationsServer } from '../platform/operations-server.ts';
import { ensureSearchAttributes, SearchAttributeError } from '../platform/search-attributes.ts';
import { createStripe } from '../platform/stripe.ts';
import { startTelemetry } from '../platform/telemetry.ts';
import { checkTemporal, TemporalRefusedError } from '../platform/temporal.ts';
import { connectTemporalNative, installTemporalRuntime } from '../platform/temporal-worker.ts';
import { createFulfillmentService, createWorker, type WorkerKind } from './worker.ts';
import { watchOpenOrders, watchTaskQueues } from './watch.ts';
import { workflowBundle } from './workflow-bundle.ts';

type WorkerProcess = {
  /** What logs and traces call the process. */
  readonly name: string;
  readonly kinds: readonly WorkerKind[];
  /** Where health checks and metrics listen unless a setting says otherwise. */
  readonly operationsPort: number;
};

/** Runs the workers of a process until it is told to stop; activities under way then end first. */
export async function runWorkers(workers: WorkerProcess): Promise<void> {
  try {
    await run(workers, loadConfig());
  } catch (error) {
    const isExpected = [ConfigError, TemporalRefusedError, SearchAttributeError].some((kind) => error instanceof kind);
    process.stderr.write(`${workers.name}: ${error instanceof Error && !isExpected ? error.stack : String(error)}\n`);
    process.exit(1);
  }
}

async function run({ name, kinds, operationsPort }: WorkerProcess, config: Config): Promise<void> {
  const logger = createLogger(config, name);
  const runtime = await installTemporalRuntime(logger);
  const telemetry = startTelemetry({ serviceName: name, config, logger });
  const database = createDatabase({
    ...config.database,
    name,
    onIdleError: (err) => logger.warn({ err }, 'A connection to PostgreSQL broke; the next statement opens another'),
  });
  const { namespace, taskQueuePrefix } = config.temporal;
  const stopping = new AbortController();

  let connected: NativeConnection | undefined;
  let workers: readonly Worker[] = [];
  const metrics = createMetrics();
  // Before all else: a process that waits for Temporal is alive, and not ready.
  const operations = await startOperationsServer({
    host: config.operations.host,
    port: config.operations.port ?? operationsPort,
    logger,
    checks: {
      database: () => checkDatabase(database),
      temporal: async () => {
        if (connected === undefined) throw new Error('not connected yet');
        await checkTemporal(connected, namespace);
      },
      workers: async () => assertRunning(workers),
    },
    metrics: metricsPage(metrics, () => runtime.metrics()),
  });

  const work = async (): Promise<void> => {
    const connection = await connectTemporalNative(config, { logger, signal: stopping.signal });
    connected = connection;
    await ensureSearchAttributes(connection, namespace);
    if (kinds.includes('orders')) watchOpenOrders(metrics, database);
    watchTaskQueues(metrics, { connection, namespace, taskQueuePrefix, kinds });
    const dependencies = {
      connection,
      namespace,
      taskQueuePrefix,
      database,
      stripe: createStripe(config.stripe),
      fulfillment: createFulfillmentService(config, database),
      stripeIsReal: config.stripe.sandboxUrl === undefined,
      workflowBundle: await workflowBundle(),
      plugins: telemetry.plugins,
      shutdownGraceMs: config.shutdownGraceMs,
    };
    workers = await Promise.all(kinds.map((kind) => createWorker(kind, dependencies)));
    const shutDown = () => {
      for (const worker of workers) worker.shutdown();
    };
    stopping.signal.addEventListener('abort', shutDown);
    await Promise.all(workers.map((worker) => worker.run()));
    await connection.close();
  };

  const workAndCleanUp = async (): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!stopping.signal.aborted) throw error;
    } finally {
      await operations.close();
      await database.end();
      await telemetry.shutdown();
    }
  };
  const finished = workAndCleanUp();
  // Longer than the workers' own grace: they end by themselves.
  closeWithGrace({ delay: config.shutdownGraceMs + 5_000, logger }, async ({ err }) => {
    if (err !== undefined) logger.fatal({ err }, `${name} stops because of an error that nobody caught`);
    stopping.abort();
    await finished;
  });
  await finished;
}

function assertRunning(workers: readonly Worker[]): void {
  if (workers.length === 0) throw new Error('not started yet');
  const idle = workers.filter((worker) => worker.getState() !== 'RUNNING');
  if (idle.length > 0) throw new Error(`not running: ${idle.map((worker) => worker.options.taskQueue).join(', ')}`);
}

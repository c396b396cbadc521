import { setInterval } from 'node:timers';
import process, { stderr, stdout } from 'node:process';
import { Client, type WorkflowHandle } from '@temporalio/client';
import {
  RECONCILE_BOOKS,
  type ReconcileBooksInput,
  type ReconcileBooksResult,
  taskQueues,
} from '../../contracts/messages.ts';
import { createDatabase, type Database } from '../../database/database.ts';
import { migrate } from '../../database/migrate.ts';
import { findLastReconciliation } from '../../database/reconciliations.ts';
import { must } from '../../domain/must.ts';
import { loadConfig } from '../../platform/config.ts';
import { createLogger } from '../../platform/logger.ts';
import { PROJECT_FOLDER } from '../../platform/project.ts';
import { ensureSearchAttributes } from '../../platform/search-attributes.ts';
import { createStripe } from '../../platform/stripe.ts';
import { connectTemporal } from '../../platform/temporal.ts';
import { connectTemporalNative, installTemporalRuntime } from '../../platform/temporal-worker.ts';
import { createWorker } from '../../workers/worker.ts';
import { createBuiltInWarehouse } from '../../activities/built-in-warehouse.ts';
import { workflowBundle } from '../../workers/workflow-bundle.ts';
import { createSandboxAdmin } from '../stripe-sandbox/admin-client.ts';
import { connectionSettings } from '../stack/app.ts';
import { LAYERS, startInfrastructure } from '../stack/infrastructure.ts';
import { checkUrl, managedProcess } from '../stack/managed-process.ts';
import { loadStackSettings } from '../stack/settings.ts';
import { openStateFolder, removeStateFolder } from '../stack/state-folder.ts';
import { environment, log } from './stack.ts';

/*
 * `npm run bench:books`: the comparison with Stripe over a large shop's month: how long it takes, how long its histories
 * grow, and what memory its workers need. Of the month, some refunds and disputes were never heard of here.
 */

const CHARGES = Number(process.argv[2] ?? 100_000);
const MONTH_MS = 30 * 24 * 3_600_000;
const AMOUNT_MINOR = 1_000;
const REFUND_EVERY = 500;
const DISPUTE_EVERY = 5_000;
const MIB = 1024 * 1024;

const settings = loadStackSettings(await environment());
const { folder: state } = await openStateFolder(settings.stateDir);
const closing: (() => Promise<unknown>)[] = [];
try {
  const infrastructure = await startInfrastructure({
    state,
    log,
    ports: {},
    durable: true,
    temporalCliPath: settings.temporalCliPath,
  });
  closing.push(() => infrastructure.stop());
  await migrate(infrastructure.databaseUrl);
  const connections = connectionSettings(settings, { ...infrastructure, zipkinUrl: undefined });
  const sandbox = managedProcess(
    {
      name: 'Stripe sandbox',
      command: process.execPath,
      args: ['--import', 'tsx', 'dev/stripe-sandbox/main.ts'],
      cwd: PROJECT_FOLDER,
      env: { ...connections, STRIPE_SANDBOX_PORT: String(settings.ports.sandbox) },
      stopSignal: 'SIGTERM',
      stopTimeoutMs: 10_000,
      layer: LAYERS.sandbox,
      checkReady: () => checkUrl(`${settings.urls.sandbox}/readyz`),
      readyTimeoutMs: 90_000,
    },
    state,
  );
  await sandbox.start();
  closing.push(() => sandbox.stop());

  const config = loadConfig(connections);
  const logger = createLogger({ production: false, logLevel: 'fatal' }, 'bench');
  await installTemporalRuntime(logger);
  const database = createDatabase({ ...config.database, name: 'bench' });
  closing.push(() => database.end());
  const connection = await connectTemporal(config, { logger });
  closing.push(() => connection.close());
  const native = await connectTemporalNative(config, { logger });
  closing.push(() => native.close());
  const { namespace, taskQueuePrefix } = config.temporal;
  await ensureSearchAttributes(connection, namespace);
  const client = new Client({ connection, namespace });

  stderr.write(`${CHARGES} orders and charges\n`);
  const now = Date.now();
  await createSandboxAdmin(settings.urls.sandbox).seedCharges({
    count: CHARGES,
    amountMinor: AMOUNT_MINOR,
    currency: 'usd',
    fromMs: now - MONTH_MS,
    toMs: now - 60_000,
    refundEvery: REFUND_EVERY,
    disputeEvery: DISPUTE_EVERY,
  });
  await fillOrders(database);

  const dependencies = {
    connection: native,
    namespace,
    taskQueuePrefix,
    database,
    stripe: createStripe(config.stripe),
    fulfillment: createBuiltInWarehouse({ database }),
    stripeRetryMaxMs: config.stripeRetryMaxMs,
    stripeIsReal: false,
    workflowBundle: await workflowBundle(),
    plugins: [],
    shutdownGraceMs: 2_000,
  };
  const workers = await Promise.all((['orders', 'payment'] as const).map((kind) => createWorker(kind, dependencies)));
  const running = Promise.all(workers.map((worker) => worker.run()));
  closing.push(async () => {
    for (const worker of workers) worker.shutdown();
    await running;
  });
  const queue = taskQueues(taskQueuePrefix).orders;
  stdout.write(
    `A month of ${CHARGES} charges, ${CHARGES / REFUND_EVERY} refunds and ${CHARGES / DISPUTE_EVERY} disputes\n`,
  );
  for (const [name, workflowId] of [
    ['nothing of the refunds and disputes is known', 'first'],
    ['all is known', 'second'],
  ] as const) {
    stdout.write(
      await measure(name, database, async () =>
        client.workflow.start<(input: ReconcileBooksInput) => Promise<ReconcileBooksResult>>(RECONCILE_BOOKS, {
          workflowId,
          taskQueue: queue,
          args: [{ lookFromMs: now - MONTH_MS - 60_000 }],
        }),
      ),
    );
  }
} finally {
  for (const close of closing.toReversed()) await close();
  state.release();
  await removeStateFolder(state.path, []);
}

/** Finished orders, each paid with the sandbox's charge of its number. */
async function fillOrders(database: Database): Promise<void> {
  for (let first = 1; first <= CHARGES; first += 1_000) {
    await database.query(
      `WITH new_orders AS (
        INSERT INTO orders (order_id, customer_id, status, seq, total_amount_minor, currency, request_hash, trace_id, run_id,
          checkout_session_id, payment_intent_id, kept_amount_minor, created_at)
        SELECT lpad(to_hex(n), 24, '0'), 'customer-' || n % 5000, 'FINISHED', 4, $3, 'USD', 'hash', 'trace', 'run',
          'cs_' || n, 'pi_seed' || n, $3, now() - interval '30 days'
        FROM generate_series($1::integer, $2::integer) AS n
        RETURNING order_id
      ), new_lines AS (
        INSERT INTO order_lines (order_id, line_number, item_id, name, quantity, unit_amount_minor)
        SELECT order_id, 1, 'pencil', 'Pencil', 1, $3 FROM new_orders
      )
      INSERT INTO order_timeline (order_id, seq, status, event, detail, source)
      SELECT order_id, seq, 'FINISHED', 'note', 'Made.', 'note:' || seq FROM new_orders, generate_series(1, 4) AS seq`,
      [first, Math.min(first + 999, CHARGES), AMOUNT_MINOR],
    );
  }
  await database.query('ANALYZE');
}

type Handle = WorkflowHandle<(input: ReconcileBooksInput) => Promise<ReconcileBooksResult>>;

async function measure(name: string, database: Database, start: () => Promise<Handle>): Promise<string> {
  const rss = () => process.memoryUsage().rss / MIB;
  const rssBefore = rss();
  let rssMost = rssBefore;
  let longestHistory = 0;
  const runIds = new Set<string>();
  const startedAt = performance.now();
  const handle = await start();
  const look = async (): Promise<void> => {
    rssMost = Math.max(rssMost, rss());
    const { historyLength, runId } = await handle.describe();
    longestHistory = Math.max(longestHistory, historyLength);
    runIds.add(runId);
  };
  const watching = setInterval(() => void look().catch(() => undefined), 100);
  try {
    const { differing } = await handle.result();
    const seconds = (performance.now() - startedAt) / 1000;
    const { balance } = must(await findLastReconciliation(database), 'the comparison that has just ended');
    const [line] = balance.lines;
    return [
      name,
      `  ${balance.charges} charges compared, ${differing} payments differ in the end`,
      `  at Stripe ${JSON.stringify(line?.atStripe)}`,
      `  here      ${JSON.stringify(line?.here)}`,
      `  ${seconds.toFixed(0)} s, ${runIds.size} runs, longest history seen ${longestHistory} events`,
      `  memory of the workers' process: ${rssBefore.toFixed(0)} MiB before, at most ${rssMost.toFixed(0)} MiB`,
      '',
    ].join('\n');
  } finally {
    clearInterval(watching);
  }
}

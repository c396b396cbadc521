import process, { stderr } from 'node:process';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import { createDatabase, type Database } from '../../database/database.ts';
import { changeStock } from '../../database/item-changes.ts';
import { migrate } from '../../database/migrate.ts';
import { must } from '../../domain/must.ts';
import { loadConfig, processEnvironment } from '../../platform/config.ts';
import { createLogger } from '../../platform/logger.ts';
import { listPollers } from '../../platform/task-queues.ts';
import { connectTemporal } from '../../platform/temporal.ts';
import { type AppContext, connectionSettings, createCoreProcesses, createSandboxProcess } from '../stack/app.ts';
import { LAYERS, startInfrastructure } from '../stack/infrastructure.ts';
import { managedProcess, type ManagedProcess } from '../stack/managed-process.ts';
import { freePort } from '../../platform/free-port.ts';
import { PROJECT_FOLDER } from '../../platform/project.ts';
import { loadStackSettings } from '../stack/settings.ts';
import type { Reporter } from '../stack/stack-error.ts';
import { openStateFolder, removeStateFolder, type StateFolder } from '../stack/state-folder.ts';
import { BARE_TASK_QUEUE } from './bare/task-queue.ts';

export const ITEM = 'prod_SNjRcpjxpiazxk';
/** More than all rounds together can order. */
const STOCK = 1_000_000;
const NO_LIMIT = '100000000';

export type BenchStack = {
  readonly apiUrl: string;
  readonly sandboxUrl: string;
  readonly database: Database;
  readonly client: Client;
  readonly stop: () => Promise<void>;
};

/** The table is the result and goes to the standard output alone. */
export const log: Reporter = {
  up: (name) => stderr.write(`up: ${name}\n`),
  progress: (message) => stderr.write(`${message}\n`),
  warn: (message) => stderr.write(`${message}\n`),
};

/**
 * Brings up the product as `npm start` does, each part a process of its own, and beside it the worker of the bare
 * workflow: on free ports, in a folder of its own that is removed in the end.
 *
 * @throws StackError if something is in the way; nothing is left running then
 */
export async function startBenchStack(): Promise<BenchStack> {
  const settings = loadStackSettings(await environment());
  const { folder: state } = await openStateFolder(settings.stateDir);
  const closing: (() => Promise<unknown>)[] = [];
  let stopping: Promise<void> | undefined;
  const stopAll = async (): Promise<void> => {
    for (const close of closing.toReversed()) await close();
    state.release();
    await removeStateFolder(state.path, []);
  };
  // Ctrl-C in the middle makes what is being measured fail, which stops it too.
  const stop = (): Promise<void> => (stopping ??= stopAll());
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
    const config = loadConfig(connections);
    const logger = createLogger({ production: false, logLevel: 'warn' }, 'bench');
    const connection = await connectTemporal(config, { logger });
    closing.push(() => connection.close());
    const context: AppContext = {
      settings,
      state,
      events: () => ({ died: failLoudly, keepsDying: failLoudly, restarted: () => undefined }),
    };
    const processes = [
      createSandboxProcess(context),
      ...createCoreProcesses(context, connections),
      bareWorker(state, connections, async () => {
        const pollers = await listPollers(connection, config.temporal.namespace, BARE_TASK_QUEUE, 'workflow');
        return pollers.length > 0;
      }),
    ];
    for (const part of processes) {
      await part.start();
      closing.push(() => part.stop());
      log.up(part.name, '', 0);
    }

    const database = createDatabase({ ...config.database, name: 'bench' });
    closing.push(() => database.end());
    must(await changeStock(database, ITEM, STOCK, { by: 'bench' }), `the item ${ITEM}`);
    const client = new Client({ connection, namespace: config.temporal.namespace });
    return { apiUrl: settings.urls.api, sandboxUrl: settings.urls.sandbox, database, client, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What the machine needs to run programs, and no setting of the product but where Temporal's program is. */
export async function environment(): Promise<Record<string, string | undefined>> {
  const { PATH, HOME, TMPDIR, TEMPORAL_CLI_PATH } = processEnvironment();
  return {
    PATH,
    HOME,
    TMPDIR,
    TEMPORAL_CLI_PATH,
    STATE_DIR: join(tmpdir(), `order-backend-bench-${userInfo().username}`),
    API_PORT: String(await freePort()),
    WEBHOOK_PORT: String(await freePort()),
    STRIPE_SANDBOX_PORT: String(await freePort()),
    OPERATIONS_PORT: String(await freePort()),
    API_REQUESTS_PER_MINUTE: NO_LIMIT,
    WEBHOOK_REQUESTS_PER_MINUTE: NO_LIMIT,
    // On a machine that does other things too a create may wait; it is measured, not given up.
    CREATE_TIMEOUT_SECONDS: '120',
  };
}

function bareWorker(
  state: StateFolder,
  connections: Readonly<Record<string, string>>,
  isPolling: () => Promise<boolean>,
): ManagedProcess {
  return managedProcess(
    {
      name: 'Bare worker',
      command: process.execPath,
      args: ['--import', 'tsx', join(PROJECT_FOLDER, 'dev/bench/bare/worker.main.ts')],
      cwd: PROJECT_FOLDER,
      env: connections,
      stopSignal: 'SIGTERM',
      stopTimeoutMs: 10_000,
      layer: LAYERS.workers,
      checkReady: async () => (await isPolling()) || { waitsFor: 'it does not poll its task queue' },
      readyTimeoutMs: 90_000,
    },
    state,
  );
}

export function failLoudly(what: string): void {
  log.warn(`A process ${what}; the figures of this run are worth nothing`);
  process.exitCode = 1;
}

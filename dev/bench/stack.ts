import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import process, { stderr } from 'node:process';
import { Client } from '@temporalio/client';
import { createDatabase, type Database } from '../../database/database.ts';
import { changeStock } from '../../database/item-changes.ts';
import { must } from '../../domain/must.ts';
import { loadConfig, processEnvironment } from '../../platform/config.ts';
import { createLogger } from '../../platform/logger.ts';
import { listPollers } from '../../platform/task-queues.ts';
import { connectTemporal } from '../../platform/temporal.ts';
import { type AppContext, connectionSettings, createCoreProcesses, createSandboxProcess } from '../stack/app.ts';
import type * as Migrations from '../../database/migrate.ts';
import type * as Infrastructure from '../stack/infrastructure.ts';
import { LAYERS } from '../stack/infrastructure.ts';
import { managedProcess, type ManagedProcess } from '../stack/managed-process.ts';
import { freePort } from '../../platform/free-port.ts';
import { PROJECT_FOLDER } from '../../platform/project.ts';
import { loadStackSettings } from '../stack/settings.ts';
import type { Reporter } from '../stack/stack-error.ts';
import { openStateFolder, removeStateFolder, type StateFolder } from '../stack/state-folder.ts';
import { BARE_TASK_QUEUE } from './bare/task-queue.ts';
import type { ProcessIds } from './processes.ts';

export const ITEM = 'prod_SNjRcpjxpiazxk';
/** More than all rounds together can order. */
const STOCK = 1_000_000;
/** Where `tsc -p dev/bench/bare` puts it. */
export const BARE_BUILD = join(PROJECT_FOLDER, 'dist/dev/bench/bare');
const NO_LIMIT = '100000000';

export type BenchStack = {
  /** The checkout that is measured. */
  readonly checkout: string;
  readonly apiUrl: string;
  readonly sandboxUrl: string;
  readonly workersMetricsUrl: string;
  readonly database: Database;
  readonly client: Client;
  readonly processes: ProcessIds;
  /** A folder that is removed in the end. */
  readonly state: StateFolder;
  readonly stop: () => Promise<void>;
};

/** The table is the result and goes to the standard output alone. */
export const log: Reporter = {
  up: (name) => stderr.write(`up: ${name}\n`),
  progress: (message) => stderr.write(`${message}\n`),
  warn: (message) => stderr.write(`${message}\n`),
};

/**
 * Builds a checkout and brings up what was built, each part a process of its own, and beside it the worker of the bare
 * workflow: on free ports, in a folder of its own that is removed in the end.
 *
 * @param checkout this one, or another version of the product with its packages installed
 * @throws StackError if something is in the way; nothing is left running then
 */
export async function startBenchStack(checkout: string): Promise<BenchStack> {
  const build = buildOf(checkout);
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
    // The other version's own: how it sets up the Temporal server is a part of what is compared.
    const { startInfrastructure } = (await import(
      join(checkout, 'dev/stack/infrastructure.ts')
    )) as typeof Infrastructure;
    const { migrate } = (await import(join(checkout, 'database/migrate.ts'))) as typeof Migrations;
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
    const events = () => ({ died: failLoudly, keepsDying: failLoudly, restarted: () => undefined });
    const context: AppContext = { settings, state, build, events };
    const bare = bareWorker(state, connections, async () => {
      const pollers = await listPollers(connection, config.temporal.namespace, BARE_TASK_QUEUE, 'workflow');
      return pollers.length > 0;
    });
    const parts = [createSandboxProcess(context), ...createCoreProcesses(context, connections), bare];
    for (const part of parts) {
      await part.start();
      closing.push(() => part.stop());
      log.up(part.name, '', 0);
    }

    const database = createDatabase({ ...config.database, name: 'bench' });
    closing.push(() => database.end());
    must(await changeStock(database, ITEM, STOCK, { by: 'bench' }), `the item ${ITEM}`);
    const client = new Client({ connection, namespace: config.temporal.namespace });
    const { postgres, temporal } = infrastructure;
    return {
      checkout,
      apiUrl: settings.urls.api,
      sandboxUrl: settings.urls.sandbox,
      workersMetricsUrl: `http://127.0.0.1:${settings.ports.operations.workers}/metrics`,
      database,
      client,
      processes: Object.fromEntries([postgres, temporal, ...parts].map((part) => [part?.name, () => part?.pid()])),
      state,
      stop,
    };
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
    NODE_ENV: 'production',
    AUTH_BY_GATEWAY: 'true',
    STATE_DIR: mkdtempSync(join(tmpdir(), `order-backend-bench-${userInfo().username}-`)),
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

/** Builds the product of a checkout, and of this one the bare worker and what replays. Returns the product's folder. */
function buildOf(checkout: string): string {
  const run = (command: string, args: readonly string[], cwd: string): void => {
    execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  };
  stderr.write(`Building ${checkout}\n`);
  run('npm', ['run', 'build'], checkout);
  run('npx', ['tsc', '-p', 'dev/bench/bare'], PROJECT_FOLDER);
  return join(checkout, 'dist');
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
      args: [join(BARE_BUILD, 'worker.main.js')],
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

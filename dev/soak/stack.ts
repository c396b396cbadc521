import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { Client } from '@temporalio/client';
import { createDatabase, type Database } from '../../database/database.ts';
import { changeStock } from '../../database/item-changes.ts';
import { migrate } from '../../database/migrate.ts';
import { must } from '../../domain/must.ts';
import { type Config, loadConfig, processEnvironment } from '../../platform/config.ts';
import { freePort } from '../../platform/free-port.ts';
import { createLogger } from '../../platform/logger.ts';
import { PROJECT_FOLDER } from '../../platform/project.ts';
import { connectTemporal } from '../../platform/temporal.ts';
import { type WorkerKind, workerKinds } from '../../workers/worker.ts';
import { workflowBundle } from '../../workers/workflow-bundle.ts';
import { compileProduct } from '../scripts/compile.ts';
import { LAYERS, startInfrastructure } from '../stack/infrastructure.ts';
import { checkUrl, managedProcess, type ManagedProcess, type ProcessEvents } from '../stack/managed-process.ts';
import type { PostgresServer } from '../stack/postgres.ts';
import { type Reporter, StackError } from '../stack/stack-error.ts';
import { openStateFolder, removeStateFolder, type StateFolder } from '../stack/state-folder.ts';
import type { TemporalServer } from '../stack/temporal-server.ts';
import { createSandboxAdmin, type SandboxAdmin } from '../stripe-sandbox/admin-client.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

export const PENCIL = 'prod_SNjRcpjxpiazxk';
export const BOOK = 'prod_SNjQpQjNC8QuaD';
export const OPERATOR_TOKEN = 'a token for the soak';
export const PAYMENT_WINDOW_MS = 20_000;

/** More than a run can order, so that stock ends no order's way. */
const STOCK = 1_000_000;
const NO_LIMIT = '100000000';
/** Room for PostgreSQL's data and its log, in a file system of its own that can be filled up. */
const DATA_DISK = '1500m';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const BROKEN_OFF_EXIT_CODE = 130;

const run = promisify(execFile);

/** A worker with its own ways to what it stands on. */
export type WorkerPart = {
  readonly kind: WorkerKind;
  readonly process: ManagedProcess;
  readonly toPostgres: TcpProxy;
  readonly toTemporal: TcpProxy;
};

export type SoakStack = {
  /** Where customers reach the API: a way that leads to one of its processes in turn. */
  readonly apiUrl: string;
  readonly webhookUrl: string;
  readonly config: Config;
  readonly state: StateFolder;
  readonly database: Database;
  readonly client: Client;
  readonly sandbox: SandboxAdmin;
  readonly postgres: PostgresServer;
  readonly temporal: TemporalServer;
  readonly stripe: ManagedProcess;
  readonly workers: readonly WorkerPart[];
  readonly apis: readonly ManagedProcess[];
  readonly webhooks: readonly ManagedProcess[];
  /** Where PostgreSQL's data are, if they have a file system of their own; undefined where none can be made. */
  readonly dataDisk: string | undefined;
  /** A second worker of a queue, with what it is to find in its environment. */
  readonly standIn: (kind: WorkerKind, environment?: Readonly<Record<string, string>>) => Promise<ManagedProcess>;
  /** How long each part took to be back after each of its deaths, in ms. */
  readonly recoveriesMs: ReadonlyMap<string, readonly number[]>;
  readonly stop: (options: { readonly keep: boolean }) => Promise<void>;
};

/**
 * Brings the whole product up, each part a process of its own that is started again when it dies: four workers, two of
 * the API and of the webhook receiver, PostgreSQL, Temporal and the sandbox. On free ports, in a folder of its own.
 *
 * @throws StackError where something is in the way; nothing is left running then
 */
export async function startSoakStack(
  log: Reporter,
  settings: Readonly<Record<string, string>> = {},
): Promise<SoakStack> {
  const { folder: state } = await openStateFolder(
    join(tmpdir(), `order-backend-soak-${userInfo().username}-${process.pid}`),
  );
  const closing: (() => Promise<unknown>)[] = [];
  const ending = new AbortController();
  let isUp = false;
  // Ctrl-C at any moment leaves nothing behind. While parts are still coming up, they are ended once they are up.
  const breakOff = (): void => {
    ending.abort(new StackError('Broken off.'));
    if (isUp) void stop({ keep: false }).finally(() => process.exit(BROKEN_OFF_EXIT_CODE));
  };
  for (const signal of SIGNALS) process.once(signal, breakOff);
  const stop: SoakStack['stop'] = async ({ keep }) => {
    for (const signal of SIGNALS) process.off(signal, breakOff);
    for (const close of closing.toReversed()) await close().catch((error: unknown) => log.warn(String(error)));
    state.release();
    if (!keep) await removeStateFolder(state.path, []);
  };
  try {
    const stack = await bringUp({ state, log, settings, closing, stop, signal: ending.signal });
    isUp = true;
    return stack;
  } catch (error) {
    await stop({ keep: false });
    if (ending.signal.aborted) process.exit(BROKEN_OFF_EXIT_CODE);
    throw error;
  }
}

type Beginning = {
  readonly state: StateFolder;
  readonly log: Reporter;
  readonly settings: Readonly<Record<string, string>>;
  readonly closing: (() => Promise<unknown>)[];
  readonly stop: SoakStack['stop'];
  /** Ends the start at its next step. */
  readonly signal: AbortSignal;
};

async function bringUp({ state, log, settings, closing, stop, signal }: Beginning): Promise<SoakStack> {
  const recoveriesMs = new Map<string, number[]>();
  function events(name: string): ProcessEvents {
    let diedAt = 0;
    return {
      died: () => (diedAt = Date.now()),
      keepsDying: () => (diedAt = Date.now()),
      restarted: () => recoveriesMs.set(name, [...(recoveriesMs.get(name) ?? []), Date.now() - diedAt]),
    };
  }

  const dataDisk = await mountDataDisk(join(state.path, 'postgres'));
  if (dataDisk !== undefined) closing.push(() => run('umount', ['--lazy', dataDisk]));
  const infrastructure = await startInfrastructure({
    state,
    log,
    ports: {},
    durable: true,
    temporalCliPath: processEnvironment()['TEMPORAL_CLI_PATH'],
    events,
    signal,
  });
  closing.push(() => infrastructure.stop());
  signal.throwIfAborted();
  await migrate(infrastructure.databaseUrl);
  const product = await build(state.file('product'));
  signal.throwIfAborted();
  const postgres = must(infrastructure.postgres, 'a PostgreSQL of our own');
  const temporal = must(infrastructure.temporal, 'a Temporal of our own');

  const ports = { api: [await freePort(), await freePort()], webhook: [await freePort(), await freePort()] } as const;
  const proxy = async (targets: () => readonly number[]): Promise<TcpProxy> => {
    const started = await startTcpProxy(targets);
    closing.push(() => started.close());
    return started;
  };
  const toApi = await proxy(() => ports.api);
  const toWebhook = await proxy(() => ports.webhook);
  const sandboxPort = await freePort();
  const environment = {
    ...plainEnvironment(),
    DATABASE_URL: infrastructure.databaseUrl,
    TEMPORAL_ADDRESS: infrastructure.temporalAddress,
    PUBLIC_URL: `http://127.0.0.1:${toApi.port}`,
    STRIPE_SANDBOX_URL: `http://127.0.0.1:${sandboxPort}`,
    STRIPE_SANDBOX_WEBHOOK_URL: `http://127.0.0.1:${toWebhook.port}/webhook`,
    STRIPE_SANDBOX_STATE_FILE: state.file('stripe-sandbox.json'),
    STRIPE_SANDBOX_PORT: String(sandboxPort),
    PAYMENT_WINDOW_SECONDS: String(PAYMENT_WINDOW_MS / 1000),
    FULFILLMENT_RETRY_SECONDS: '2',
    STRIPE_RETRY_MAX_SECONDS: '1',
    OPERATOR_TOKEN,
    API_REQUESTS_PER_MINUTE: NO_LIMIT,
    WEBHOOK_REQUESTS_PER_MINUTE: NO_LIMIT,
    ...settings,
  };
  const config = loadConfig(environment);

  function part(name: string, entry: string, more: Readonly<Record<string, string>>, readyUrl: string, layer: number) {
    const child = managedProcess(
      {
        name,
        command: process.execPath,
        args: [join(product, entry.replace(/\.ts$/, '.js'))],
        cwd: product,
        env: { ...environment, ...more },
        stopSignal: 'SIGTERM',
        stopTimeoutMs: 15_000,
        layer,
        checkReady: () => checkUrl(readyUrl),
        readyTimeoutMs: 120_000,
        // As a supervisor in production: at once, however often.
        restarts: { pausesMs: [500], steadyAfterMs: 0 },
      },
      state,
      events(name),
    );
    closing.push(() => child.stop());
    return child;
  }

  async function worker(kind: WorkerKind): Promise<WorkerPart> {
    const toPostgres = await proxy(() => [postgres.port]);
    const toTemporal = await proxy(() => [portOf(infrastructure.temporalAddress)]);
    return {
      kind,
      toPostgres,
      toTemporal,
      process: await workerPart(`${kind} worker`, kind, { toPostgres, toTemporal }),
    };
  }

  async function workerPart(name: string, kind: WorkerKind, ways: Pick<WorkerPart, 'toPostgres' | 'toTemporal'>) {
    const port = await freePort();
    const url = new URL(infrastructure.databaseUrl);
    url.port = String(ways.toPostgres.port);
    const more = {
      DATABASE_URL: url.href,
      TEMPORAL_ADDRESS: `127.0.0.1:${ways.toTemporal.port}`,
      OPERATIONS_PORT: String(port),
    };
    return part(name, `workers/${kind}.ts`, more, `http://127.0.0.1:${port}/readyz`, LAYERS.workers);
  }

  async function edge(name: string, entry: string, port: number, setting: 'API_PORT' | 'WEBHOOK_PORT') {
    const more = { [setting]: String(port), OPERATIONS_PORT: String(await freePort()) };
    return part(name, entry, more, `http://127.0.0.1:${port}/readyz`, LAYERS.edges);
  }

  const stripe = part(
    'Stripe sandbox',
    'dev/stripe-sandbox/main.ts',
    {},
    `${environment.STRIPE_SANDBOX_URL}/readyz`,
    LAYERS.sandbox,
  );
  const workers = await Promise.all(workerKinds.map(worker));
  const apis = await Promise.all(
    ports.api.map((port, index) => edge(`API ${index + 1}`, 'api/orders-api.main.ts', port, 'API_PORT')),
  );
  const webhooks = await Promise.all(
    ports.webhook.map((port, index) =>
      edge(`Webhook receiver ${index + 1}`, 'api/webhook.main.ts', port, 'WEBHOOK_PORT'),
    ),
  );
  const processes = [stripe, ...workers.map(({ process: own }) => own), ...apis, ...webhooks];
  await Promise.all(processes.map((own) => own.start()));
  signal.throwIfAborted();

  const database = createDatabase({ ...config.database, url: infrastructure.databaseUrl, poolSize: 6, name: 'soak' });
  closing.push(() => database.end());
  for (const item of [PENCIL, BOOK]) must(await changeStock(database, item, STOCK, { by: 'soak' }), `the item ${item}`);
  const logger = createLogger({ production: false, logLevel: 'silent' }, 'soak');
  const connection = await connectTemporal(config, { logger });
  closing.push(() => connection.close());
  const client = new Client({ connection, namespace: config.temporal.namespace });

  return {
    apiUrl: environment.PUBLIC_URL,
    webhookUrl: environment.STRIPE_SANDBOX_WEBHOOK_URL,
    config,
    state,
    database,
    client,
    sandbox: createSandboxAdmin(environment.STRIPE_SANDBOX_URL),
    postgres,
    temporal,
    stripe,
    workers,
    apis,
    webhooks,
    dataDisk,
    standIn: async (kind, more = {}) => {
      const port = await freePort();
      const own = { ...more, OPERATIONS_PORT: String(port) };
      return part(`${kind} stand-in`, `workers/${kind}.ts`, own, `http://127.0.0.1:${port}/readyz`, LAYERS.workers);
    },
    recoveriesMs,
    stop,
  };
}

/** What runs in production: compiled, so that a process that was killed is back in a fraction of the time. */
async function build(folder: string): Promise<string> {
  await compileProduct(folder, ['--noCheck']);
  const { codePath } = await workflowBundle();
  copyFileSync(codePath, join(folder, 'workflow-bundle.cjs'));
  copyFileSync(join(PROJECT_FOLDER, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(PROJECT_FOLDER, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** What the machine needs to run programs, and no setting of the product. */
function plainEnvironment(): Record<string, string | undefined> {
  const { PATH, HOME, TMPDIR } = processEnvironment();
  return { PATH, HOME, TMPDIR };
}

function portOf(address: string): number {
  return Number(new URL(`tcp://${address}`).port);
}

/** @returns undefined where this user may not mount a file system */
async function mountDataDisk(folder: string): Promise<string | undefined> {
  mkdirSync(folder, { recursive: true });
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${DATA_DISK},mode=0755`, 'tmpfs', folder]);
    return folder;
  } catch {
    return undefined;
  }
}

import process from 'node:process';
import { join } from 'node:path';
import { LAYERS } from './infrastructure.ts';
import { checkUrl, managedProcess, type ManagedProcess, type ProcessEvents } from './managed-process.ts';
import { requireFreePort } from './ports.ts';
import { type StackSettings } from './settings.ts';
import { PROJECT_FOLDER } from '../../platform/project.ts';
import type { StateFolder } from './state-folder.ts';

/** One of the product's own processes. */
export type AppProcess = ManagedProcess & {
  /** Where it is, for people. */
  readonly detail: string;
  readonly layer: number;
};

export type AppContext = {
  readonly settings: StackSettings;
  readonly state: StateFolder;
  /** The folder with a build of the product that runs; undefined: the sources run. */
  readonly build?: string;
  readonly events: (name: string) => ProcessEvents;
};

type Part = {
  readonly name: string;
  readonly entry: string;
  readonly detail: string;
  readonly readyUrl: string;
  readonly layer: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
};

/** The first start makes the workflow bundle and fills tsx's cache, on a slow machine side by side. */
const READY_TIMEOUT_MS = 90_000;

/** What Node needs to run the sources. From 22.18 on nothing, which takes half the CPU time (docs/decisions.md, 30). */
const TYPESCRIPT_LOADER =
  'typescript' in process.features && process.features.typescript !== false ? [] : ['--import', 'tsx/esm'];
/** Where Node, from 22.1 on, keeps what it has compiled. */
const COMPILE_CACHE = join(PROJECT_FOLDER, 'node_modules', '.cache', 'order-backend', 'node');

/** What a process may take beyond its own grace, to close its connections. */
const STOP_MARGIN_MS = 5000;

/** The local Stripe. It stands on nothing else, so it can start first. */
export function createSandboxProcess(context: AppContext): AppProcess {
  const { settings, state } = context;
  const origin = `http://127.0.0.1:${settings.ports.sandbox}`;
  return createAppProcess(context, {
    name: 'Stripe sandbox',
    entry: 'dev/stripe-sandbox/main.ts',
    detail: origin,
    readyUrl: `${origin}/readyz`,
    layer: LAYERS.sandbox,
    environment: {
      STRIPE_SANDBOX_URL: settings.urls.sandbox,
      STRIPE_SANDBOX_WEBHOOK_URL: settings.urls.webhook,
      STRIPE_SANDBOX_STATE_FILE: state.file('stripe-sandbox.json'),
    },
  });
}

/** Workers, orders API and webhook receiver; they need the database, migrated, and Temporal. */
export function createCoreProcesses(
  context: AppContext,
  connections: Readonly<Record<string, string | undefined>>,
  operatorToken?: string,
): AppProcess[] {
  const { ports } = context.settings;
  const operations = (port: number): Record<string, string> => ({ OPERATIONS_PORT: String(port) });
  const parts: Part[] = [
    {
      name: 'Workers',
      entry: 'workers/all.ts',
      detail: 'orders, stock, payment, fulfillment',
      readyUrl: `http://127.0.0.1:${ports.operations.workers}/readyz`,
      layer: LAYERS.workers,
      environment: operations(ports.operations.workers),
    },
    {
      name: 'Orders API',
      entry: 'api/orders-api.main.ts',
      detail: context.settings.urls.api,
      readyUrl: `http://127.0.0.1:${ports.api}/readyz`,
      layer: LAYERS.edges,
      environment: {
        ...operations(ports.operations.api),
        ...(operatorToken !== undefined && { OPERATOR_TOKEN: operatorToken }),
      },
    },
    {
      name: 'Webhook receiver',
      entry: 'api/webhook.main.ts',
      detail: `http://127.0.0.1:${ports.webhook}/webhook`,
      readyUrl: `http://127.0.0.1:${ports.webhook}/readyz`,
      layer: LAYERS.edges,
      environment: operations(ports.operations.webhook),
    },
  ];
  return parts.map((part) =>
    createAppProcess(context, { ...part, environment: { ...connections, ...part.environment } }),
  );
}

/**
 * The settings that tell the product's processes of each other, under the names that platform/config.ts reads. Any
 * program that is to work with the running stack needs the same.
 */
export function connectionSettings(
  { urls, external }: StackSettings,
  found: {
    databaseUrl: string;
    temporalAddress: string;
    temporalUiUrl: string | undefined;
    zipkinUrl: string | undefined;
  },
): Record<string, string> {
  return {
    DATABASE_URL: found.databaseUrl,
    TEMPORAL_ADDRESS: found.temporalAddress,
    PUBLIC_URL: urls.api,
    STRIPE_SANDBOX_WEBHOOK_URL: urls.webhook,
    ...(found.temporalUiUrl === undefined ? {} : { TEMPORAL_UI_URL: found.temporalUiUrl }),
    ...(external.stripe ? {} : { STRIPE_SANDBOX_URL: urls.sandbox }),
    ...(found.zipkinUrl === undefined ? {} : { ZIPKIN_URL: found.zipkinUrl, ZIPKIN_UI_URL: found.zipkinUrl }),
  };
}

/** @throws StackError naming the first port of the product's processes that is taken, and the setting that moves it */
export async function requireFreeAppPorts({ ports, host, external }: StackSettings): Promise<void> {
  await requireFreePort(ports.api, 'the orders API', 'API_PORT', host);
  await requireFreePort(ports.webhook, 'the webhook receiver', 'WEBHOOK_PORT', host);
  if (!external.stripe) await requireFreePort(ports.sandbox, 'the Stripe sandbox', 'STRIPE_SANDBOX_PORT', host);
  for (const [name, port] of Object.entries(ports.operations)) {
    await requireFreePort(
      port,
      `health checks and metrics (${name})`,
      'OPERATIONS_PORT (it and the two after it are used)',
    );
  }
}

function createAppProcess({ settings, state, build, events }: AppContext, part: Part): AppProcess {
  const child = managedProcess(
    {
      name: part.name,
      command: process.execPath,
      args:
        build === undefined
          ? [...TYPESCRIPT_LOADER, join(PROJECT_FOLDER, part.entry)]
          : [join(build, part.entry.replace(/\.ts$/, '.js'))],
      cwd: PROJECT_FOLDER,
      env: { NODE_COMPILE_CACHE: COMPILE_CACHE, ...settings.environment, ...part.environment },
      stopSignal: 'SIGTERM',
      stopTimeoutMs: settings.shutdownGraceMs + STOP_MARGIN_MS,
      layer: part.layer,
      checkReady: () => checkUrl(part.readyUrl),
      readyTimeoutMs: READY_TIMEOUT_MS,
    },
    state,
    events(part.name),
  );
  return { ...child, detail: part.detail, layer: part.layer };
}

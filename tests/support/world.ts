import { randomBytes } from 'node:crypto';
import process from 'node:process';
import { Client, type Connection, WorkflowNotFoundError } from '@temporalio/client';
import type { NativeConnection, Worker } from '@temporalio/worker';
import { expect, inject, vi } from 'vitest';
import { createOrdersApi } from '../../api/orders-api.ts';
import { createWebhookReceiver } from '../../api/webhook.ts';
import { createDatabase, type Database } from '../../database/database.ts';
import { findOrder, type OrderRecord } from '../../database/orders.ts';
import type { OrderStatus } from '../../domain/order-status.ts';
import { type Config, loadConfig } from '../../platform/config.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMetrics, metricsPage } from '../../platform/metrics.ts';
import { createStripe } from '../../platform/stripe.ts';
import { startTelemetry } from '../../platform/telemetry.ts';
import { connectTemporal } from '../../platform/temporal.ts';
import { connectTemporalNative, installTemporalRuntime, type TemporalRuntime } from '../../platform/temporal-worker.ts';
import { freePort } from '../../platform/free-port.ts';
import { createTestDatabase } from '../../dev/stack/test-database.ts';
import { createSandboxAdmin, type SandboxAdmin } from '../../dev/stripe-sandbox/admin-client.ts';
import { createStripeSandbox } from '../../dev/stripe-sandbox/sandbox.ts';
import { createFulfillmentService, createWorker, type WorkerKind, workerKinds } from '../../workers/worker.ts';
import { eventViolations } from '../../dev/invariants/event-feed.ts';
import { findViolations } from '../../dev/invariants/find-violations.ts';
import { findHistoryViolations } from '../../dev/invariants/replay.ts';
import { type Items, ShopClient } from '../../dev/invariants/shop-client.ts';

export const PENCIL = 'prod_SNjRcpjxpiazxk';
export const BOOK = 'prod_SNjQpQjNC8QuaD';
export const ONE_PENCIL: Items = [{ itemID: PENCIL, quantity: 1 }];

/** A customer of whom nobody has heard. */
export function newCustomer(): string {
  return `customer-${randomBytes(6).toString('hex')}`;
}

/** Long enough for a machine that does other things too; what waits this long has failed. */
const PATIENCE_MS = 60_000;
/** The server deletes a workflow some time after it is asked to. */
const FORGET_MS = 120_000;

type Log = { readonly write: (line: string) => void };

let runtimeInstalled: Promise<TemporalRuntime> | undefined;
/** Where the workers' lines go, those of the newest world: the SDK has one runtime in a process, which all worlds share. */
let workersLog: Log | undefined;
/** `TEST_LOG_LEVEL=info npx vitest …` shows what happens. */
const { TEST_LOG_LEVEL } = process.env;

/**
 * The whole system with a database, task queues, ports and a Stripe of its own, in this process; PostgreSQL and
 * Temporal are those of the run. To be stopped with {@link World.stop}, which replays every history against the bundle.
 *
 * @param log where the log goes instead of the standard output; its workers' lines until another world is started
 * @param endpointSecrets what events may be signed with, if it is not the sandbox's own secret
 */
export async function startWorld(
  settings: Readonly<Record<string, string>> = {},
  log?: Log,
  endpointSecrets?: readonly string[],
): Promise<World> {
  const [apiPort, webhookPort, sandboxPort] = [await freePort(), await freePort(), await freePort()];
  const testDatabase = await createTestDatabase(inject('databaseUrl'));
  const loaded = loadConfig({
    NODE_ENV: 'test',
    LOG_LEVEL: TEST_LOG_LEVEL ?? 'silent',
    DATABASE_URL: testDatabase.url,
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    TASK_QUEUE_PREFIX: `test-${randomBytes(4).toString('hex')}-`,
    API_PORT: String(apiPort),
    WEBHOOK_PORT: String(webhookPort),
    PUBLIC_URL: `http://127.0.0.1:${apiPort}`,
    STRIPE_SANDBOX_PORT: String(sandboxPort),
    STRIPE_SANDBOX_URL: `http://127.0.0.1:${sandboxPort}`,
    STRIPE_SANDBOX_WEBHOOK_URL: `http://127.0.0.1:${webhookPort}/webhook`,
    CREATE_TIMEOUT_SECONDS: '20',
    API_REQUESTS_PER_MINUTE: '100000',
    WEBHOOK_REQUESTS_PER_MINUTE: '100000',
    ...settings,
  });
  const stripe = { ...loaded.stripe, endpointSecrets: endpointSecrets ?? loaded.stripe.endpointSecrets };
  const config = { ...loaded, stripe };
  const logger = createLogger(config, 'test', log);
  workersLog = log ?? (TEST_LOG_LEVEL === undefined ? undefined : process.stdout);
  runtimeInstalled ??= installTemporalRuntime(
    createLogger({ production: true, logLevel: TEST_LOG_LEVEL ?? 'info' }, 'test', {
      write: (line) => workersLog?.write(line),
    }),
  );
  const world = new World(config, logger, testDatabase, await runtimeInstalled);
  await world.start();
  return world;
}

export class World extends ShopClient {
  readonly config: Config;
  readonly database: Database;
  /** The witness of what money moved, and the way to script what Stripe does. */
  readonly stripe: SandboxAdmin;
  readonly metrics = createMetrics();
  readonly #runtime: TemporalRuntime;
  readonly #logger: ReturnType<typeof createLogger>;
  readonly #testDatabase: Awaited<ReturnType<typeof createTestDatabase>>;
  readonly #telemetry: ReturnType<typeof startTelemetry>;
  readonly #closing: (() => Promise<unknown>)[] = [];
  readonly #workers = new Map<WorkerKind, { readonly worker: Worker; readonly ended: Promise<void> }>();
  #connection: Connection | undefined;
  #native: NativeConnection | undefined;
  #client: Client | undefined;

  constructor(
    config: Config,
    logger: ReturnType<typeof createLogger>,
    testDatabase: Awaited<ReturnType<typeof createTestDatabase>>,
    runtime: TemporalRuntime,
  ) {
    super(config.publicUrl);
    this.config = config;
    this.#logger = logger;
    this.#testDatabase = testDatabase;
    this.#runtime = runtime;
    this.#telemetry = startTelemetry({ serviceName: 'test', config, logger });
    this.database = createDatabase({ ...config.database, name: 'test' });
    this.stripe = createSandboxAdmin(config.stripeSandbox.url);
  }

  get client(): Client {
    return must(this.#client);
  }

  get webhookUrl(): string {
    return this.config.stripeSandbox.webhookUrl;
  }

  /** What `/metrics` of a process with all parts would answer, without what other worlds of this process have counted. */
  async metricsText(): Promise<string> {
    const text = await metricsPage(this.metrics, () => this.#runtime.metrics()).text();
    const queue = /[{,]task_queue="(?<name>[^"]*)"/;
    return text
      .split('\n')
      .filter((line) => queue.exec(line)?.groups?.['name']?.startsWith(this.config.temporal.taskQueuePrefix) ?? true)
      .join('\n');
  }

  async start(): Promise<void> {
    const { config } = this;
    const logger = this.#logger;
    this.#connection = await connectTemporal(config, { logger });
    this.#native = await connectTemporalNative(config, { logger });
    const { namespace } = config.temporal;
    const { plugins } = this.#telemetry;
    this.#client = new Client({ connection: this.#connection, namespace, plugins });
    const stripe = createStripe(config.stripe);
    const parts = {
      config,
      client: this.#client,
      database: this.database,
      stripe,
      checks: {},
      metrics: this.metrics,
      logger,
    };
    const api = await createOrdersApi(parts);
    await api.listen({ host: '127.0.0.1', port: config.api.port });
    const webhook = await createWebhookReceiver(parts);
    await webhook.listen({ host: '127.0.0.1', port: config.webhook.port });
    const sandbox = createStripeSandbox({
      apiKey: config.stripe.apiKey,
      webhookSecret: must(config.stripe.endpointSecrets[0]),
      webhookUrl: config.stripeSandbox.webhookUrl,
    });
    await sandbox.listen({ host: '127.0.0.1', port: config.stripeSandbox.port });
    this.#closing.push(
      () => sandbox.close(),
      () => webhook.close(),
      () => api.close(),
    );
    await Promise.all(workerKinds.map((kind) => this.startWorker(kind)));
  }

  async startWorker(kind: WorkerKind): Promise<void> {
    const { config } = this;
    const worker = await createWorker(kind, {
      connection: must(this.#native),
      namespace: config.temporal.namespace,
      taskQueuePrefix: config.temporal.taskQueuePrefix,
      database: this.database,
      stripe: createStripe(config.stripe),
      fulfillment: createFulfillmentService(config, this.database),
      stripeRetryMaxMs: config.stripeRetryMaxMs,
      stripeIsReal: false,
      workflowBundle: { codePath: inject('workflowBundlePath') },
      plugins: this.#telemetry.plugins,
      shutdownGraceMs: 2_000,
    });
    this.#workers.set(kind, { worker, ended: worker.run() });
  }

  async stopWorker(kind: WorkerKind): Promise<void> {
    const running = this.#workers.get(kind);
    this.#workers.delete(kind);
    running?.worker.shutdown();
    await running?.ended;
  }

  /**
   * Checks the invariants over all orders of this world, stops all of it, and replays every history against the bundle.
   * Every whole-system test ends here, so none can forget it.
   */
  async stop(): Promise<void> {
    try {
      await this.until(async () => expect(await findViolations(this)).toEqual([]));
      expect(await eventViolations(this.database)).toEqual([]);
      await Promise.all(workerKinds.map((kind) => this.stopWorker(kind)));
      const { client, database } = this;
      const bundle = { workflowBundle: { codePath: inject('workflowBundlePath') }, plugins: this.#telemetry.plugins };
      const ordersQueue = `${this.config.temporal.taskQueuePrefix}orders`;
      expect(await findHistoryViolations({ client, database, ordersQueue, bundle })).toEqual([]);
    } finally {
      await Promise.all(workerKinds.map((kind) => this.stopWorker(kind)));
      for (const close of this.#closing.toReversed()) await close();
      await this.#connection?.close();
      await this.#native?.close();
      await this.database.end();
      await this.#telemetry.shutdown();
      await this.#testDatabase.drop();
    }
  }

  /** Makes an order of one pencil, or of these items. */
  async newOrder(items: Items = ONE_PENCIL): Promise<OrderRecord> {
    const answer = await this.create(newCustomer(), items);
    expect(answer.body).toMatchObject({ errorCode: 0 });
    return this.order(answer.body.data.order_id);
  }

  /** Makes such an order, and waits until it waits for its payment. */
  async orderWaitingForPayment(items: Items = ONE_PENCIL): Promise<OrderRecord> {
    return this.untilStatus((await this.newOrder(items)).orderId, 'WAITING_FOR_PAYMENT');
  }

  /** Makes such an order, pays it, and waits until it is finished. */
  async finishedOrder(): Promise<OrderRecord> {
    const order = await this.orderWaitingForPayment();
    await this.pay(order);
    return this.untilStatus(order.orderId, 'FINISHED');
  }

  async order(orderId: string): Promise<OrderRecord> {
    const order = await findOrder(this.database, orderId);
    expect(order, `order ${orderId}`).toBeDefined();
    return must(order);
  }

  /** Waits until the order has this status. */
  async untilStatus(orderId: string, status: OrderStatus): Promise<OrderRecord> {
    return this.until(async () => {
      const order = await this.order(orderId);
      expect(order).toMatchObject({ status });
      return order;
    });
  }

  /** Waits until the order's timeline has such an entry. */
  async untilEvent(orderId: string, event: string): Promise<OrderRecord> {
    return this.until(async () => {
      const order = await this.order(orderId);
      expect(order.timeline.map((entry) => entry.event)).toContain(event);
      return order;
    });
  }

  /** Waits until this no longer throws, and returns its result. */
  async until<T>(check: () => T | Promise<T>, timeoutMs = PATIENCE_MS): Promise<T> {
    return vi.waitFor(check, { timeout: timeoutMs, interval: 50 });
  }

  /** Pays as the customer would on the hosted page. */
  async pay(order: OrderRecord, options: Parameters<SandboxAdmin['pay']>[1] = {}) {
    return this.stripe.pay(must(order.checkoutSessionId), options);
  }

  async stockOf(itemId: string): Promise<number> {
    const found = await this.database.query<{ available: number }>('SELECT available FROM items WHERE item_id = $1', [
      itemId,
    ]);
    return must(found.rows[0]).available;
  }

  /** Puts another item in stock. */
  async stockItem(item: { itemId: string; unitAmountMinor: number; currency: string; available: number }) {
    const { itemId, unitAmountMinor, currency, available } = item;
    await this.database.query(
      `INSERT INTO items (item_id, name, unit_amount_minor, currency, initial, available)
        VALUES ($1, $1, $2, $3, $4, $4)`,
      [itemId, unitAmountMinor, currency, available],
    );
  }

  /** What Temporal does some time after a workflow's end: it forgets it. */
  async forgetWorkflow(workflowId: string): Promise<void> {
    const { namespace } = this.config.temporal;
    const { workflowService } = this.client;
    await workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId } });
    await this.until(async () => expect(await this.knowsWorkflow(workflowId)).toBe(false), FORGET_MS);
  }

  async knowsWorkflow(workflowId: string): Promise<boolean> {
    try {
      await this.client.workflow.getHandle(workflowId).describe();
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  /** Waits until the order's workflow has ended, and returns its result. */
  async workflowResult(orderId: string): Promise<unknown> {
    return this.client.workflow.getHandle(orderId).result();
  }
}

function must<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('The world is not that far');
  return value;
}

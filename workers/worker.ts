import process from 'node:process';
import type { OpenTelemetryPlugin } from '@temporalio/interceptors-opentelemetry';
import { type CompiledWorkerOptions, type NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import type { Stripe } from 'stripe';
import { FailureInterceptor } from '../activities/failure-interceptor.ts';
import { createFulfillmentActivities, type FulfillmentService } from '../activities/fulfillment.ts';
import { HeartbeatInterceptor } from '../activities/heartbeat-interceptor.ts';
import { createBooksActivities } from '../activities/books.ts';
import { createBuiltInWarehouse } from '../activities/built-in-warehouse.ts';
import { createHttpFulfillment } from '../activities/http-fulfillment.ts';
import { createOrderActivities } from '../activities/orders.ts';
import { createPaymentActivities } from '../activities/payment.ts';
import { createReconciliationActivities } from '../activities/reconciliation.ts';
import { createStockActivities } from '../activities/stock.ts';
import { taskQueues } from '../contracts/messages.ts';
import type { Database } from '../database/database.ts';
import type { Config } from '../platform/config.ts';

/** The kinds of workers, one for each task queue. */
export const workerKinds = ['orders', 'stock', 'payment', 'fulfillment'] as const;
export type WorkerKind = (typeof workerKinds)[number];

export type WorkerDependencies = {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueuePrefix: string;
  readonly database: Database;
  readonly stripe: Stripe;
  readonly fulfillment: FulfillmentService;
  /** The longest pause before Stripe is asked again about a refund that it refuses, in ms. */
  readonly stripeRetryMaxMs: number;
  /** Whether `stripe` is the real Stripe, whose test mode allows 25 requests a second in total. */
  readonly stripeIsReal: boolean;
  readonly workflowBundle: { readonly codePath: string };
  readonly plugins: readonly OpenTelemetryPlugin[];
  /** How long running activities may take to finish when the worker is stopped. */
  readonly shutdownGraceMs: number;
};

/** Leaves room for refunds and reads during a rush of new orders: Stripe's test mode allows 25 requests a second. */
const REAL_STRIPE_CALLS_PER_SECOND = 20;
/**
 * A cached order takes 0.2 MB, and a worker without orders 250 MB: together half of the 1 GB that docker-compose.yml
 * allows. An order that is not cached is replayed from its short history when a message arrives.
 */
const MAX_CACHED_WORKFLOWS = 1000;
/**
 * Workflow tasks that a worker takes at once. They share one thread, and Temporal discards what takes longer than 10 s:
 * with the SDK's 40 a busy host began every task anew, and finished none. One whose row waits for PostgreSQL counts for up
 * to 5 s, so with too few of them a slow write holds up every other order (docs/decisions.md, 43).
 */
const MAX_WORKFLOW_TASKS = 20;
/**
 * How long one step of a workflow's script may run; it takes milliseconds. The SDK's 5 s also pass while the process is
 * frozen in the middle of one (a busy host, a paused machine), and Node often crashes when it then ends the script.
 */
const SCRIPT_TIMEOUT_MS = 60_000;

/** What ships the orders: the shop's own service if one is configured, else the built-in warehouse. */
export function createFulfillmentService(config: Pick<Config, 'fulfillment'>, database: Database): FulfillmentService {
  return config.fulfillment === undefined
    ? createBuiltInWarehouse({ database })
    : createHttpFulfillment(config.fulfillment);
}

/** Creates the worker of one task queue; it polls once `run()` is called. */
export async function createWorker(kind: WorkerKind, dependencies: WorkerDependencies): Promise<Worker> {
  const { connection, namespace, taskQueuePrefix, plugins, shutdownGraceMs } = dependencies;
  const alarmed = new Set<string>();
  return Worker.create({
    connection,
    namespace,
    taskQueue: taskQueues(taskQueuePrefix)[kind],
    identity: `${kind}-worker@${process.pid}`,
    plugins: [...plugins],
    interceptors: {
      activity: [() => ({ inbound: new HeartbeatInterceptor() }), () => ({ inbound: new FailureInterceptor(alarmed) })],
    },
    shutdownGraceTime: shutdownGraceMs,
    // An activity that has not finished by then times out and is retried elsewhere.
    shutdownForceTime: shutdownGraceMs + 2_000,
    ...optionsOf(kind, dependencies),
  });
}

/** The SDK reads `isolateExecutionTimeout`, and says in its own types that it is not exposed yet. */
type Options = Partial<WorkerOptions & Pick<CompiledWorkerOptions, 'isolateExecutionTimeout'>>;

function optionsOf(kind: WorkerKind, dependencies: WorkerDependencies): Options {
  const { database, stripe, stripeIsReal, stripeRetryMaxMs, fulfillment, workflowBundle } = dependencies;
  switch (kind) {
    case 'orders':
      return {
        workflowBundle,
        maxCachedWorkflows: MAX_CACHED_WORKFLOWS,
        isolateExecutionTimeout: SCRIPT_TIMEOUT_MS,
        maxConcurrentWorkflowTaskExecutions: MAX_WORKFLOW_TASKS,
        activities: {
          ...createOrderActivities({ database }),
          ...createReconciliationActivities({ database, stripeRetryMaxMs }),
        },
      };
    case 'stock':
      return { activities: createStockActivities({ database }) };
    case 'payment':
      return {
        activities: { ...createPaymentActivities({ stripe }), ...createBooksActivities({ stripe, database }) },
        ...(stripeIsReal && { maxTaskQueueActivitiesPerSecond: REAL_STRIPE_CALLS_PER_SECOND }),
      };
    case 'fulfillment':
      return { activities: createFulfillmentActivities({ fulfillment, database }) };
  }
}

import { Client, type Connection } from '@temporalio/client';
import type { Stripe } from 'stripe';
import { createOrderWorkflowClient, type OrderWorkflowClient } from '../api/order-workflow-client.ts';
import { taskQueues } from '../contracts/messages.ts';
import { createDatabase, type Database } from '../database/database.ts';
import { createLogger, type Logger } from '../platform/logger.ts';
import { createStripe } from '../platform/stripe.ts';
import { connectTemporal } from '../platform/temporal.ts';
import { CliError, exitCodes } from './errors.ts';
import type { CliSettings } from './settings.ts';

/** Short, since a person is waiting. */
const CONNECT_TIMEOUT_MS = 4000;

/** What the commands work with; each part connects only when a command needs it. */
export type Context = {
  readonly settings: CliSettings;
  readonly database: Database;
  readonly stripe: Stripe;
  readonly logger: Logger;
  /** @throws CliError if Temporal does not answer */
  readonly temporal: () => Promise<Client>;
  /** Connects with the first call. @throws CliError if Temporal does not answer */
  readonly orderWorkflow: Pick<OrderWorkflowClient, 'cancel' | 'refund' | 'refundPart' | 'release'>;
  readonly close: () => Promise<void>;
};

export function createContext(settings: CliSettings): Context {
  const { config } = settings;
  const logger = createLogger({ production: config.production, logLevel: 'silent' }, 'cli');
  const database = createDatabase({ ...config.database, poolSize: 2, name: 'cli' });
  let connecting: Promise<Connection> | undefined;

  async function temporal(): Promise<Client> {
    connecting ??= connectTemporal(config, { logger, signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
    try {
      return new Client({ connection: await connecting, namespace: config.temporal.namespace });
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      throw new CliError(
        exitCodes.away,
        `Temporal at ${config.temporal.connection.address} does not answer. Start it (\`npm start\` brings its own), or set TEMPORAL_ADDRESS.`,
        { cause: error },
      );
    }
  }

  async function orderWorkflow(): Promise<OrderWorkflowClient> {
    return createOrderWorkflowClient({
      client: await temporal(),
      taskQueues: taskQueues(config.temporal.taskQueuePrefix),
      createTimeoutMs: config.createTimeoutMs,
      stripeRetryMaxMs: config.stripeRetryMaxMs,
    });
  }

  return {
    settings,
    database,
    stripe: createStripe(config.stripe),
    logger,
    temporal,
    orderWorkflow: {
      cancel: async (orderId, request) => (await orderWorkflow()).cancel(orderId, request),
      refund: async (order, request) => (await orderWorkflow()).refund(order, request),
      refundPart: async (orderId, refundId, request) => (await orderWorkflow()).refundPart(orderId, refundId, request),
      release: async (orderId, request) => (await orderWorkflow()).release(orderId, request),
    },
    close: async () => {
      await database.end();
      const connection = await connecting?.catch(() => undefined);
      await connection?.close();
    },
  };
}

import { once } from 'node:events';
import { Client } from '@temporalio/client';
import type { FastifyInstance } from 'fastify';
import { checkDatabase, createDatabase, type Database } from '../database/database.ts';
import type { Config } from '../platform/config.ts';
import type { Logger } from '../platform/logger.ts';
import type { Metrics } from '../platform/metrics.ts';
import { ListenError, type ReadinessChecks } from '../platform/operations-server.ts';
import { runProcess } from '../platform/run-process.ts';
import { connectTemporal } from '../platform/temporal.ts';

type Parts = {
  readonly config: Config;
  readonly client: Client;
  readonly database: Database;
  readonly checks: ReadinessChecks;
  readonly metrics: Metrics;
  readonly logger: Logger;
};

type Service = {
  /** The process's name in logs and traces. */
  readonly name: string;
  readonly port: (config: Config) => number;
  /** The setting of the port, for the message about a port that is in use. */
  readonly portSetting: string;
  /** The port of health checks and metrics unless a setting says otherwise. */
  readonly operationsPort: number;
  /** Throws a ConfigError if the service must not run with these settings. */
  readonly check?: (config: Config) => void;
  readonly create: (parts: Parts) => Promise<FastifyInstance>;
};

/**
 * Runs an HTTP service as a process of its own: waits for Temporal, listens, and finishes running requests before it
 * stops.
 */
export async function serve(service: Service): Promise<void> {
  const { name, operationsPort } = service;
  await runProcess({
    name,
    operationsPort,
    connect: connectTemporal,
    prepare: ({ config, logger, metrics, atEnd }) => {
      service.check?.(config);
      const database = createDatabase({ ...config.database, name, logger });
      atEnd(() => database.end());
      return {
        checks: { database: () => checkDatabase(database) },
        work: async ({ connection, checks, plugins, stopping }) => {
          const client = new Client({ connection, namespace: config.temporal.namespace, plugins });
          const app = await service.create({ config, client, database, checks, metrics, logger });
          atEnd(() => app.close());
          await listen(service, config, app);
          if (!stopping.aborted) await once(stopping, 'abort');
        },
      };
    },
  });
}

async function listen(service: Service, config: Config, app: FastifyInstance): Promise<void> {
  const port = service.port(config);
  try {
    await app.listen({ host: config.host, port, listenTextResolver: (address) => `${service.name} at ${address}` });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ListenError(
      `can't listen on ${config.host}:${port}; set ${service.portSetting} to a free port. ${reason}`,
    );
  }
}

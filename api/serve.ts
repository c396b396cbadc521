import process from 'node:process';
import { Client, type Connection } from '@temporalio/client';
import closeWithGrace from 'close-with-grace';
import type { FastifyInstance } from 'fastify';
import { createDatabase, type Database } from '../database/database.ts';
import { type Config, ConfigError, loadConfig } from '../platform/config.ts';
import { createLogger, type Logger } from '../platform/logger.ts';
import { createMetrics, type Metrics, metricsPage } from '../platform/metrics.ts';
import { type ReadinessChecks, startOperationsServer } from '../platform/operations-server.ts';
import { startTelemetry } from '../platform/telemetry.ts';
import { connectTemporal, TemporalRefusedError } from '../platform/temporal.ts';
import { readinessChecks } from './readiness.ts';

type Parts = {
  readonly config: Config;
  readonly client: Client;
  readonly database: Database;
  readonly checks: ReadinessChecks;
  readonly metrics: Metrics;
  readonly logger: Logger;
};

type Service = {
  /** What logs and traces call the process. */
  readonly name: string;
  readonly port: (config: Config) => number;
  /** The setting that changes the port, for the message about a port that is taken. */
  readonly portSetting: string;
  /** Where health checks and metrics listen unless a setting says otherwise. */
  readonly operationsPort: number;
  /** Throws a ConfigError if the service must not run with these settings. */
  readonly check?: (config: Config) => void;
  readonly create: (parts: Parts) => Promise<FastifyInstance>;
};

/**
 * Runs an HTTP service as a process of its own: waits for Temporal, listens, and ends requests under way before it
 * stops.
 */
export async function serve(service: Service): Promise<void> {
  try {
    await start(service, loadConfig());
  } catch (error) {
    const isExpected =
      error instanceof ConfigError || error instanceof TemporalRefusedError || error instanceof ListenError;
    // Somebody has to mend this by hand: one clear line is worth more than a stack trace.
    process.stderr.write(`${service.name}: ${isExpected || !(error instanceof Error) ? String(error) : error.stack}\n`);
    process.exit(1);
  }
}

async function start(service: Service, config: Config): Promise<void> {
  service.check?.(config);
  const logger = createLogger(config, service.name);
  const telemetry = startTelemetry({ serviceName: service.name, config, logger });
  const stopped = new AbortController();
  const cleanups: (() => Promise<unknown>)[] = [() => telemetry.shutdown()];
  closeWithGrace({ delay: config.shutdownGraceMs, logger }, async ({ err }) => {
    if (err !== undefined) logger.fatal({ err }, `${service.name} stops because of an error that nobody caught`);
    stopped.abort();
    for (const cleanUp of cleanups.toReversed()) await cleanUp();
  });

  const database = createDatabase({
    ...config.database,
    name: service.name,
    onIdleError: (err) => logger.warn({ err }, 'A connection to PostgreSQL broke; the next statement opens another'),
  });
  cleanups.push(() => database.end());

  const { namespace } = config.temporal;
  let connection: Connection | undefined;
  const checks = readinessChecks(() => connection, namespace, database);
  const metrics = createMetrics();
  const { host, port: operationsPort = service.operationsPort } = config.operations;
  const operations = await startOperationsServer({
    host,
    port: operationsPort,
    checks,
    metrics: metricsPage(metrics),
    logger,
  });
  cleanups.push(() => operations.close());

  // The checks answer by now: a process that waits for Temporal is alive, and not ready.
  const connected = await connectTemporal(config, { logger, signal: stopped.signal }).catch((error: unknown) => {
    if (stopped.signal.aborted) return undefined;
    throw error;
  });
  if (connected === undefined) return;
  connection = connected;
  cleanups.push(() => connected.close());
  const client = new Client({ connection, namespace, plugins: telemetry.plugins });
  const app = await service.create({ config, client, database, checks, metrics, logger });
  await listen(service, config, app);
  cleanups.push(() => app.close());
}

class ListenError extends Error {
  override readonly name = 'ListenError';
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

import process from 'node:process';
import closeWithGrace from 'close-with-grace';
import { type Config, ConfigError, loadConfig } from './config.ts';
import { createLogger, type Logger } from './logger.ts';
import { createMetrics, type Metrics, metricsPage } from './metrics.ts';
import { ListenError, type ReadinessChecks, startOperationsServer } from './operations-server.ts';
import { SearchAttributeError } from './search-attributes.ts';
import { startTelemetry, type Telemetry } from './telemetry.ts';
import { checkTemporal, type ConnectOptions, type TemporalConnection, TemporalRefusedError } from './temporal.ts';

/** Errors that a person has to fix: one clear line helps more than a stack trace. */
const EXPECTED_ERRORS = [ConfigError, TemporalRefusedError, SearchAttributeError, ListenError];

type Parts = {
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Registers something to close when the process ends. What was registered last is closed first. */
  readonly atEnd: (close: () => Promise<unknown>) => void;
};

type Connection = TemporalConnection & { close(): Promise<void> };

type Prepared<C extends Connection> = {
  /** What the process needs to do its work, besides Temporal. */
  readonly checks: ReadinessChecks;
  /** Does the work until `stopping` is aborted. */
  readonly work: (
    options: Pick<Telemetry, 'plugins'> & {
      readonly connection: C;
      /** All of them, with Temporal's. */
      readonly checks: ReadinessChecks;
      readonly stopping: AbortSignal;
    },
  ) => Promise<void>;
};

type ProcessSpec<C extends Connection> = {
  /** The process's name in logs and traces. */
  readonly name: string;
  /** The port of health checks and metrics unless a setting says otherwise. */
  readonly operationsPort: number;
  /** How much longer than SHUTDOWN_GRACE_SECONDS the end may take, if the work applies the grace itself. */
  readonly extraGraceMs?: number;
  /** Comes before telemetry. Returns further metrics for `/metrics`, in Prometheus' text format. */
  readonly installRuntime?: (logger: Logger) => Promise<{ metrics(): Promise<string> }>;
  readonly prepare: (parts: Parts) => Prepared<C>;
  readonly connect: (config: Config, options: ConnectOptions) => Promise<C>;
};

/**
 * Brings a process of the product up, and down again on SIGTERM, SIGINT or an error that nobody caught. Health checks
 * answer before Temporal does: a process that waits for Temporal is alive, and not ready.
 *
 * The exit code is 0 after a requested stop, and 1 after an error.
 */
export async function runProcess<C extends Connection>(spec: ProcessSpec<C>): Promise<void> {
  try {
    await run(spec, loadConfig());
  } catch (error) {
    const isExpected = EXPECTED_ERRORS.some((kind) => error instanceof kind);
    process.stderr.write(`${spec.name}: ${isExpected || !(error instanceof Error) ? String(error) : error.stack}\n`);
    process.exit(1);
  }
}

async function run<C extends Connection>(spec: ProcessSpec<C>, config: Config): Promise<void> {
  const { name } = spec;
  const logger = createLogger(config, name);
  const stopping = new AbortController();
  const finished = workUntilStopped(spec, config, logger, stopping.signal);
  closeWithGrace({ delay: config.shutdownGraceMs + (spec.extraGraceMs ?? 0), logger }, async ({ err }) => {
    if (err !== undefined) logger.fatal({ err }, `${name} stops because of an error that nobody caught`);
    stopping.abort();
    await finished;
  });
  await finished;
}

async function workUntilStopped<C extends Connection>(
  spec: ProcessSpec<C>,
  config: Config,
  logger: Logger,
  stopping: AbortSignal,
): Promise<void> {
  const closers: (() => Promise<unknown>)[] = [];
  const atEnd: Parts['atEnd'] = (close) => void closers.push(close);
  try {
    const runtime = await spec.installRuntime?.(logger);
    const telemetry = startTelemetry({ serviceName: spec.name, config, logger });
    atEnd(() => telemetry.shutdown());
    const metrics = createMetrics();
    const { checks: ownChecks, work } = spec.prepare({ config, logger, metrics, atEnd });
    let connected: C | undefined;
    const checks = {
      ...ownChecks,
      temporal: async () => {
        if (connected === undefined) throw new Error('not connected yet');
        await checkTemporal(connected, config.temporal.namespace);
      },
    };
    const operations = await startOperationsServer({
      host: config.operations.host,
      port: config.operations.port ?? spec.operationsPort,
      checks,
      metrics: metricsPage(metrics, runtime && (() => runtime.metrics())),
      logger,
    });
    atEnd(() => operations.close());
    const connection = await spec.connect(config, { logger, signal: stopping });
    connected = connection;
    atEnd(() => connection.close());
    await work({ connection, checks, plugins: telemetry.plugins, stopping });
  } catch (error) {
    if (!stopping.aborted) throw error;
  } finally {
    for (const close of closers.toReversed()) {
      // A failure here must not keep the others open, nor hide the error that ended the process.
      await close().catch((err: unknown) => logger.warn({ err }, `${spec.name} could not close everything`));
    }
  }
}

import type { LogLevel, LogMetadata, Logger as TemporalLogger } from '@temporalio/common';
import { NativeConnection, Runtime } from '@temporalio/worker';
import type { Config } from './config.ts';
import { freePort } from './free-port.ts';
import type { Logger } from './logger.ts';
import { untilConnected } from './temporal.ts';

/** An order's workflow has the order's id; a refund's has it after a prefix. */
const ORDER_ID_IN_WORKFLOW_ID = /^(?:refund-)?([0-9a-f]{24})$/;

export type TemporalRuntime = {
  /** The SDK's own metrics in Prometheus' text form. */
  metrics(): Promise<string>;
};

/**
 * Prepares the SDK's runtime of a process with workers, once and before anything else of the SDK: its logs and those of
 * workflows and activities go through our logger, its metrics are kept for {@link TemporalRuntime.metrics}. The
 * process's entry decides when workers stop: the runtime listens to no signals.
 *
 * @throws if the process already has a runtime
 */
export async function installTemporalRuntime(logger: Logger): Promise<TemporalRuntime> {
  // The SDK serves its metrics on a port of its own; it stays on this machine and is asked from /metrics.
  const bindAddress = `127.0.0.1:${await freePort()}`;
  Runtime.install({
    logger: toTemporalLogger(logger),
    shutdownSignals: [],
    telemetryOptions: {
      logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} },
      metrics: {
        attachServiceName: false,
        prometheus: {
          bindAddress,
          countersTotalSuffix: true,
          unitSuffix: true,
          useSecondsForDurations: true,
          histogramBucketOverrides: { order_paid_to_finished: FULFILLMENT_BUCKETS_SECONDS },
        },
      },
    },
  });
  return {
    metrics: async () => {
      const answer = await fetch(`http://${bindAddress}/metrics`, { signal: AbortSignal.timeout(2000) });
      return answer.text();
    },
  };
}

/**
 * Connects workers to Temporal, and waits until Temporal is reachable: the SDK does not retry a first connection.
 *
 * @throws TemporalRefusedError if the credentials or the certificates are wrong; the signal's reason if it is aborted
 */
export async function connectTemporalNative(
  config: Pick<Config, 'temporal'>,
  options: { readonly logger: Logger; readonly signal?: AbortSignal },
): Promise<NativeConnection> {
  return untilConnected(config, options, () => NativeConnection.connect(config.temporal.connection));
}

/** From the built-in warehouse, which takes milliseconds, to a service that is down for days. */
const FULFILLMENT_BUCKETS_SECONDS = [0.1, 0.5, 1, 5, 30, 60, 300, 900, 3600, 14_400, 86_400, 259_200];

/** What the SDK warns of at each start of a worker for one kind of task, which is what we want. */
const EXPECTED_WARNING = /^No (?:workflows|activities|Nexus services) registered/;

/** The SDK's logger interface on top of ours; a workflow's lines carry the order they are about. */
export function toTemporalLogger(logger: Logger): TemporalLogger {
  const log = (level: LogLevel, message: string, meta?: LogMetadata) => {
    const pinoLevel = EXPECTED_WARNING.test(message) ? 'debug' : toPinoLevel(level);
    logger[pinoLevel](toLogFields(meta ?? {}), message);
  };
  return {
    log,
    trace: (message, meta) => log('TRACE', message, meta),
    debug: (message, meta) => log('DEBUG', message, meta),
    info: (message, meta) => log('INFO', message, meta),
    warn: (message, meta) => log('WARN', message, meta),
    error: (message, meta) => log('ERROR', message, meta),
  };
}

function toPinoLevel(level: LogLevel): 'trace' | 'debug' | 'info' | 'warn' | 'error' {
  return level.toLowerCase() as Lowercase<LogLevel>;
}

function toLogFields(meta: LogMetadata): Record<string, unknown> {
  // The SDK adds the span and the namespace to each line, and a span's id is of no use without its trace's.
  const { trace_id, span_id: _span, trace_flags: _flags, error, ...rest } = meta;
  const orderId = ORDER_ID_IN_WORKFLOW_ID.exec(String(meta['workflowId']))?.[1];
  return {
    ...(orderId !== undefined && { orderId }),
    ...(typeof trace_id === 'string' && { traceId: trace_id }),
    ...(error !== undefined && { err: error }),
    ...rest,
  };
}

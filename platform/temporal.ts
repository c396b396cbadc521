import { setTimeout as delay } from 'node:timers/promises';
import { Connection, isGrpcServiceError, ServiceError } from '@temporalio/client';
import type { Config } from './config.ts';
import type { Logger } from './logger.ts';
import { tlsProblem } from './temporal-tls.ts';

/** Of `@grpc/grpc-js`'s status codes, which the SDK's errors carry, those that are asked about here. */
const grpcStatus = { ALREADY_EXISTS: 6, PERMISSION_DENIED: 7, UNIMPLEMENTED: 12, UNAUTHENTICATED: 16 };

const CONNECT_TIMEOUT_MS = 5000;
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5000;
/** While Temporal is down, a line says so this often; one for each attempt would be noise. */
const REMINDER_INTERVAL_MS = 30_000;
const CHECK_TIMEOUT_MS = 2500;

type TemporalConfig = Pick<Config, 'temporal'>;

export type ConnectOptions = {
  readonly logger: Logger;
  /** Ends the waiting when the process is stopped meanwhile. */
  readonly signal?: AbortSignal;
};

/**
 * This process and Temporal refuse each other: an address, namespace, key or certificate is wrong, and waiting won't
 * fix it.
 */
export class TemporalRefusedError extends Error {
  override readonly name = 'TemporalRefusedError';
}

/**
 * Connects a client to Temporal, and waits until Temporal is reachable.
 *
 * @throws TemporalRefusedError if the credentials or the certificates are wrong; the signal's reason if it is aborted
 */
export async function connectTemporal(config: TemporalConfig, options: ConnectOptions): Promise<Connection> {
  const { apiKey, tls, metadata, address } = config.temporal.connection;
  return untilConnected(config, options, () =>
    Connection.connect({
      connectTimeout: CONNECT_TIMEOUT_MS,
      ...(address !== undefined && { address }),
      ...(apiKey !== undefined && { apiKey }),
      ...(tls !== undefined && { tls }),
      ...(metadata !== undefined && { metadata }),
    }),
  );
}

/**
 * Tries to connect until it works: with a line in the log at once, then every half minute, and one when it is there.
 *
 * @param connect one attempt, which fails by itself after some seconds
 */
export async function untilConnected<T>(
  config: TemporalConfig,
  { logger, signal }: ConnectOptions,
  connect: () => Promise<T>,
): Promise<T> {
  const where = `Temporal at ${config.temporal.connection.address}`;
  let remindAt = 0;
  for (let attempt = 0; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      const connection = await connect();
      if (attempt > 0) {
        logger.info(`${where} is there`);
      }
      return connection;
    } catch (error) {
      const problem = problemOf(error);
      if (isRefused(error)) {
        throw new TemporalRefusedError(
          `${where} refuses this process: ${problem}. Check TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY and the TEMPORAL_TLS_… settings.`,
          { cause: error },
        );
      }
      const tls = await tlsProblem(error, config.temporal.connection);
      if (tls !== undefined) {
        throw new TemporalRefusedError(
          `${where} can't be reached by TLS: ${tls}. Check TEMPORAL_ADDRESS and the TEMPORAL_TLS_… settings; ` +
            'TEMPORAL_TLS_SERVER_CA_CERT_PATH or SSL_CERT_FILE names the CA certificates to trust.',
          { cause: error },
        );
      }
      if (Date.now() >= remindAt) {
        logger.warn({ problem }, `${where} does not answer; trying again until it does`);
        remindAt = Date.now() + REMINDER_INTERVAL_MS;
      }
      const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** attempt, LONGEST_RETRY_MS);
      await delay(pauseMs, undefined, { ...(signal && { signal }) }).catch(() => signal?.throwIfAborted());
    }
  }
}

/** What the checks below need of a client's `Connection` or a worker's `NativeConnection`. */
export type TemporalConnection = Pick<Connection, 'workflowService' | 'operatorService' | 'withDeadline'>;

/** Throws unless Temporal and the namespace can be reached: the readiness check. */
export async function checkTemporal(connection: TemporalConnection, namespace: string): Promise<void> {
  await connection.withDeadline(Date.now() + CHECK_TIMEOUT_MS, () =>
    connection.workflowService.describeNamespace({ namespace }),
  );
}

/** Whether an error of the SDK, or what caused it, has one of these gRPC status codes. */
export function hasGrpcStatus(error: unknown, ...names: readonly (keyof typeof grpcStatus)[]): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (isGrpcServiceError(current)) {
      const code: number = current.code;
      return names.some((name) => grpcStatus[name] === code);
    }
  }
  return false;
}

function isRefused(error: unknown): boolean {
  // A worker's connection loses the status code, and keeps its name or its description in the message.
  const message = error instanceof Error ? error.message : '';
  return (
    hasGrpcStatus(error, 'UNAUTHENTICATED', 'PERMISSION_DENIED') ||
    /Unauthenticated|PermissionDenied|valid authentication credentials|not have permission/.test(message)
  );
}

function problemOf(error: unknown): string {
  const cause = error instanceof ServiceError && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}

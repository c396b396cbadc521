import { setTimeout as delay } from 'node:timers/promises';
import { fastify, type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { type Logger, withoutSecrets } from './logger.ts';

/** A check that takes longer has failed: whoever asks for readiness has a time limit of its own. */
const CHECK_TIMEOUT_MS = 3000;

/**
 * What a process needs to do its work, by name: each check resolves if it is available, and rejects with the reason if
 * not.
 */
export type ReadinessChecks = Readonly<Record<string, () => Promise<unknown>>>;

/** A port can't be listened on. The message names the setting that changes it. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

export type OperationsServer = {
  /** The address that it listens on, with the actual port if 0 was requested. */
  readonly url: string;
  close(): Promise<void>;
};

/**
 * Health checks and metrics of a process, on a port of their own that stays off the public network: `/healthz`,
 * `/readyz`, and `/metrics` if there are metrics.
 *
 * @throws ListenError if the port can't be listened on
 */
export async function startOperationsServer(options: {
  readonly host: string;
  readonly port: number;
  readonly checks: ReadinessChecks;
  readonly logger: Logger;
  readonly metrics?: { readonly contentType: string; text(): Promise<string> };
}): Promise<OperationsServer> {
  const { host, port, metrics } = options;
  const loggerInstance: FastifyBaseLogger = options.logger;
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
  });
  addHealthRoutes(app, options.checks, { reasons: true });
  if (metrics !== undefined) {
    app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()));
  }
  try {
    return { url: await app.listen({ host, port, listenTextResolver: describeListening }), close: () => app.close() };
  } catch (error) {
    throw new ListenError(
      `Health checks and metrics can't listen on ${host}:${port}; set OPERATIONS_PORT to a free port.`,
      { cause: error },
    );
  }
}

/**
 * Adds `/healthz` (the process answers) and `/readyz` (200 if every check passes, else 503 with those that do not).
 *
 * @param options.reasons whether the reason of a failed check is shown, which names hosts and ports: not on a public
 *   port
 */
export function addHealthRoutes(
  app: FastifyInstance,
  checks: ReadinessChecks,
  options: { readonly reasons: boolean },
): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => [name, await problemOf(check)] as const),
    );
    const ready = results.every(([, problem]) => problem === undefined);
    const shown = results.map(([name, problem]) => {
      const failure = options.reasons ? problem : 'failed';
      return [name, problem === undefined ? 'ok' : failure];
    });
    reply.code(ready ? 200 : 503);
    return { status: ready ? 'ready' : 'not ready', checks: Object.fromEntries(shown) };
  });
}

async function problemOf(check: () => Promise<unknown>): Promise<string | undefined> {
  const timeout = new AbortController();
  try {
    const late = delay(CHECK_TIMEOUT_MS, undefined, { signal: timeout.signal }).then(() => {
      throw new Error(`no answer in ${CHECK_TIMEOUT_MS} ms`);
    });
    await Promise.race([check(), late]);
    return undefined;
  } catch (error) {
    return withoutSecrets(messageOf(error));
  } finally {
    timeout.abort();
  }
}

/** Node reports a refused connection as an AggregateError without a message. */
function messageOf(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return first instanceof Error ? first.message : String(first);
}

function describeListening(address: string): string {
  return `Health checks and metrics: ${address}`;
}

import type { Socket } from 'node:net';
import { fastifyHelmet } from '@fastify/helmet';
import { fastifyRateLimit } from '@fastify/rate-limit';
import {
  fastify,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Logger } from '../platform/logger.ts';
import { addRequestMetrics, type Metrics } from '../platform/metrics.ts';
import { addHealthRoutes, type ReadinessChecks } from '../platform/operations-server.ts';
import { recordSpanError, traceIdOf } from '../platform/spans.ts';
import { ApiError, invalidRequest, toApiError } from './errors.ts';

/** A request that takes longer to arrive is cut off, so that slow senders cannot hold all connections. */
const RECEIVE_TIMEOUT_MS = 15_000;
/** A customer id has 128 characters at most, and each may be percent-encoded. */
const MAX_PARAM_LENGTH = 3 * 128;

export type HttpServerOptions = {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly checks: ReadinessChecks;
  /** In bytes; a larger body is answered 413. */
  readonly bodyLimitBytes: number;
  /** For each client address; more are answered 429. */
  readonly requestsPerMinute: number;
  /** Proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
};

/**
 * Makes a fastify app with what API and webhook have in common: health checks, limits, security headers, and errors in
 * the envelope.
 */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const loggerInstance: FastifyBaseLogger = options.logger;
  const app: FastifyInstance = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.bodyLimitBytes,
    requestTimeout: RECEIVE_TIMEOUT_MS,
    trustProxy: options.trustedProxies.length === 0 ? false : [...options.trustedProxies],
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: (error, request, reply) => {
      void sendError(toApiError(error), request, reply);
    },
    clientErrorHandler: answerBrokenHttp,
  });
  app.setErrorHandler((error, request, reply) => {
    const apiError = toApiError(error, options.bodyLimitBytes);
    logFailure(request, apiError);
    return sendError(apiError, request, reply);
  });

  await app.register(fastifyHelmet, {
    // Pages say what they need themselves; an answer in JSON needs nothing.
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    referrerPolicy: { policy: 'no-referrer' },
    frameguard: { action: 'deny' },
  });
  // Before the limit of requests, which holds for what is added after it: a probe is never too much.
  addHealthRoutes(app, options.checks, { reasons: false });
  await app.register(fastifyRateLimit, { max: options.requestsPerMinute, timeWindow: '1 minute' });
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, (request, reply) => {
    const error = new ApiError('noSuchRoute', `There is no route ${request.method} ${request.url.split('?', 1)[0]}`);
    return sendError(error, request, reply);
  });
  addRequestMetrics(app, options.metrics);
  app.addHook('onResponse', (request, reply, done) => {
    // What happened to an order has its own line; and each open payment page polls.
    const level = reply.statusCode >= 400 ? 'info' : 'debug';
    request.log[level](
      {
        method: request.method,
        route: request.routeOptions.url,
        statusCode: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime),
      },
      'request answered',
    );
    done();
  });
  return app;
}

/** Takes JSON and nothing else, and says where a body is no JSON. */
export function takeOnlyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    const text = body.toString();
    // Its own handling of an empty body stays; only what is no JSON gets a better message.
    const problem = text === '' ? undefined : jsonProblem(text);
    if (problem === undefined) return parse(request, text, done);
    return done(invalidRequest([{ path: 'body', problem }]));
  });
}

function jsonProblem(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const position = Number(/position (\d+)/.exec(reason)?.[1] ?? text.length);
    const before = text.slice(0, position).split('\n');
    return `is not JSON: something is wrong at line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`;
  }
}

/** Writes to the log what is ours to fix, and leaves what the client did wrong to the client. */
export function logFailure(request: FastifyRequest, error: ApiError): void {
  if (error.statusCode < 500) return;
  recordSpanError(error.cause ?? error);
  request.log.error(
    {
      err: error.cause ?? error,
      method: request.method,
      route: request.routeOptions.url,
      errorCode: error.errorCode,
      orderId: error.data?.['order_id'],
    },
    error.message,
  );
}

function sendError(error: ApiError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return reply.code(error.statusCode).send(error.toEnvelope(traceIdOf(request)));
}

/** What is no HTTP at all reaches no route, and is answered in the same words. */
function answerBrokenHttp(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, reason] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'its headers are too large']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'it took too long to arrive']
        : ['400 Bad Request', 'it is not valid HTTP'];
  const body = JSON.stringify(invalidRequest([{ path: 'request', problem: `cannot be read: ${reason}` }]).toEnvelope());
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

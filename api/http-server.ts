import type { Socket } from 'node:net';
import { fastifyHelmet } from '@fastify/helmet';
import { fastifyRateLimit } from '@fastify/rate-limit';
import {
  fastify,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Logger } from '../platform/logger.ts';
import { addRequestMetrics, type Metrics } from '../platform/metrics.ts';
import { addHealthRoutes, type ReadinessChecks } from '../platform/operations-server.ts';
import { recordSpanError, traceIdOf } from '../platform/spans.ts';
import { watchAllowedMethods } from './allowed-methods.ts';
import { ApiError, invalidRequest, toApiError } from './errors.ts';

/** A request that takes longer to arrive is cut off, so that slow senders cannot hold all connections. */
const RECEIVE_TIMEOUT_MS = 15_000;
/** How often Node checks for such requests; its default of 30 s would let one live for 45 s. */
const RECEIVE_CHECK_MS = 1_000;
/** How long an answered connection that is to close may take, before it is destroyed. */
const LINGER_MS = 1_000;
/** A customer id has 128 characters at most, and each may be percent-encoded. */
const MAX_PARAM_LENGTH = 3 * 128;

export type HttpServerOptions = {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly checks: ReadinessChecks;
  /** In bytes; a larger body is answered 413. */
  readonly bodyLimitBytes: number;
  /** Requests a minute for each client address; more are answered 429. */
  readonly requestsPerMinute: number;
  /** Proxies whose X-Forwarded-For is trusted. */
  readonly trustedProxies: readonly string[];
  /** How long a request may take to arrive, headers and body; 15 seconds unless a test sets less. */
  readonly receiveTimeoutMs?: number;
};

/**
 * Creates a fastify app with what API and webhook share: health checks, limits, security headers, and errors in the
 * envelope.
 */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const loggerInstance: FastifyBaseLogger = options.logger;
  const receiveTimeoutMs = options.receiveTimeoutMs ?? RECEIVE_TIMEOUT_MS;
  const app: FastifyInstance = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.bodyLimitBytes,
    requestTimeout: receiveTimeoutMs,
    http: {
      // The default of 60 s is above the limit of the whole request, and Node then swaps the two.
      headersTimeout: receiveTimeoutMs,
      requestTimeout: receiveTimeoutMs,
      connectionsCheckingInterval: Math.min(RECEIVE_CHECK_MS, receiveTimeoutMs),
    },
    trustProxy: options.trustedProxies.length === 0 ? false : [...options.trustedProxies],
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) => {
      void sendError(toApiError(error), request, reply);
    },
    clientErrorHandler: answerBrokenHttp,
  });
  const allowedMethods = watchAllowedMethods(app);
  const sendUnknownRoute = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const path = request.url.split('?', 1)[0] ?? '';
    const methods = allowedMethods(path);
    if (methods.length === 0) {
      return sendError(new ApiError('noSuchRoute', `There is no route ${request.method} ${path}`), request, reply);
    }
    const allow = methods.join(', ');
    const error = new ApiError('methodNotAllowed', `${path} does not accept ${request.method}, only ${allow}`);
    return sendError(error, request, reply.header('allow', allow));
  };
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    // Fastify requires the content type of a QUERY's body before it notices that there is no such route.
    if (request.is404 && error.code === 'FST_ERR_ROUTE_MISSING_CONTENT_TYPE') return sendUnknownRoute(request, reply);
    const apiError = toApiError(error, options.bodyLimitBytes);
    logFailure(request, apiError);
    return sendError(apiError, request, reply);
  });

  await app.register(fastifyHelmet, {
    // Pages set their own policy; an answer in JSON needs none.
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    referrerPolicy: { policy: 'no-referrer' },
    frameguard: { action: 'deny' },
  });
  // Before the rate limit, which applies to routes that are added after it: probes are not limited.
  addHealthRoutes(app, options.checks, { reasons: false });
  await app.register(fastifyRateLimit, { max: options.requestsPerMinute, timeWindow: '1 minute' });
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, sendUnknownRoute);
  app.addHook('preParsing', (request, reply, payload, done) => {
    const { 'content-encoding': encoding = 'identity', 'content-length': length = '0' } = request.headers;
    const hasBody = length !== '0' || request.headers['transfer-encoding'] !== undefined;
    const isRead = request.method !== 'GET' && request.method !== 'HEAD' && !request.is404;
    if (!hasBody || !isRead || encoding.toLowerCase() === 'identity') return done(null, payload);
    void reply.header('accept-encoding', 'identity');
    return done(
      new ApiError(
        'notJson',
        'The body has a Content-Encoding, which is not supported; send it uncompressed and without that header',
      ),
    );
  });
  addRequestMetrics(app, options.metrics);
  app.addHook('onResponse', (request, reply, done) => {
    // At debug level: what happens to an order has its own line, and each open payment page polls.
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

/** Logs what is ours to fix, and not what the client did wrong. */
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

/** A request that is not valid HTTP reaches no route; this answers it in the same envelope. */
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
  // A sender that does not stop would keep its half of the connection open.
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}

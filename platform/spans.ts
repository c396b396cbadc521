import { type Attributes, type Context, context, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { withoutSecrets } from './logger.ts';
import { contextOf, currentTraceId } from './telemetry.ts';

/*
 * The spans that Temporal's plugin does not make: requests, SQL and calls to Stripe, made by hand at three places.
 * OpenTelemetry's instrumentations for http and pg need loader hooks under ESM, name a statement after its first word
 * alone, and give the webhook's request its parent before the order that it belongs to can be known.
 */

const TRACER = 'order-backend';

/**
 * Runs one step as a span: its errors show in the trace, and what it starts hangs below it.
 *
 * @param name few and fixed names, `orders.insert` or `stripe POST /v1/checkout/sessions`; ids belong in the attributes
 */
export async function withSpan<T>(
  name: string,
  options: { readonly kind?: SpanKind; readonly attributes?: Attributes },
  step: (span: Span) => Promise<T>,
): Promise<T> {
  return trace.getTracer(TRACER).startActiveSpan(name, options, async (span) => {
    try {
      return await step(span);
    } catch (error) {
      recordError(span, error);
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Runs a named SQL statement as a span, but only within a trace: pollers start no traces of their own. */
export async function withSqlSpan<T>(statement: string, run: () => Promise<T>): Promise<T> {
  if (trace.getActiveSpan() === undefined) {
    return run();
  }
  const attributes = { 'db.system.name': 'postgresql', 'db.query.summary': statement };
  return withSpan(statement, { kind: SpanKind.CLIENT, attributes }, run);
}

/** Adds attributes to the span of what runs now, such as the order's id and status. */
export function annotateSpan(attributes: Attributes): void {
  trace.getActiveSpan()?.setAttributes(attributes);
}

/** Writes an error into the span of what runs now; error handlers call it for faults of ours. */
export function recordSpanError(error: unknown): void {
  const span = trace.getActiveSpan();
  if (span !== undefined) {
    recordError(span, error);
  }
}

function recordError(span: Span, error: unknown): void {
  const message = withoutSecrets(error instanceof Error ? error.message : String(error));
  span.setStatus({ code: SpanStatusCode.ERROR, message });
  span.addEvent('exception', {
    'exception.type': error instanceof Error ? error.name : typeof error,
    'exception.message': message,
  });
}

type ServerSpan = { readonly startTime: number; span?: Span };

/** Polled every few seconds by monitoring; their traces would bury those of orders. */
const UNTRACED_ROUTES: ReadonlySet<string | undefined> = new Set(['/healthz', '/readyz']);

const serverSpans = new WeakMap<FastifyRequest, ServerSpan>();

/**
 * Traces the requests of a fastify app: one server span a request, named by its route, and the handlers run in it.
 * Health checks are not traced.
 *
 * @param options.parent `headers`: an incoming `traceparent` is continued. `later`: the parent is only known from the
 *   body, so the span begins with {@link joinTrace}; a request that never calls it gets a trace of its own.
 */
export function addRequestTracing(app: FastifyInstance, options: { readonly parent: 'headers' | 'later' }): void {
  app.addHook('onRequest', (request, _reply, next) => {
    if (UNTRACED_ROUTES.has(request.routeOptions.url)) {
      next();
      return;
    }
    const server: ServerSpan = { startTime: Date.now() };
    serverSpans.set(request, server);
    if (options.parent === 'later') {
      next();
      return;
    }
    context.with(startServerSpan(request, server, request.headers['traceparent']), next);
  });
  app.addHook('onResponse', (request, reply, next) => {
    const server = serverSpans.get(request);
    if (server !== undefined) {
      if (server.span === undefined) {
        startServerSpan(request, server, undefined);
      }
      server.span?.setAttribute('http.response.status_code', reply.statusCode);
      if (reply.statusCode >= 500) {
        server.span?.setStatus({ code: SpanStatusCode.ERROR });
      }
      server.span?.end();
    }
    next();
  });
}

/**
 * Makes a request part of the trace that its body named, and runs the rest of its handler in it. The span begins when
 * the request began. Something that is not a valid `traceparent` starts a trace of its own.
 */
export async function joinTrace<T>(request: FastifyRequest, traceparent: unknown, rest: () => Promise<T>): Promise<T> {
  const server = serverSpans.get(request);
  if (server === undefined || server.span !== undefined) {
    return rest();
  }
  return context.with(startServerSpan(request, server, traceparent), rest);
}

/**
 * Returns the trace id of a request, for an answer that is made outside of its handler. A request whose parent was to
 * come later, and that failed before it did, gets a trace of its own here. All zeros if nothing is traced.
 */
export function traceIdOf(request: FastifyRequest): string {
  const server = serverSpans.get(request);
  if (server === undefined) return currentTraceId();
  if (server.span === undefined) startServerSpan(request, server, undefined);
  return server.span?.spanContext().traceId ?? currentTraceId();
}

function startServerSpan(request: FastifyRequest, server: ServerSpan, traceparent: unknown): Context {
  const route = request.routeOptions.url;
  const span = trace.getTracer(TRACER).startSpan(
    route === undefined ? request.method : `${request.method} ${routeTemplate(route)}`,
    {
      kind: SpanKind.SERVER,
      startTime: server.startTime,
      attributes: {
        'http.request.method': request.method,
        ...(route !== undefined && { 'http.route': routeTemplate(route) }),
      },
    },
    contextOf(traceparent),
  );
  server.span = span;
  return trace.setSpan(context.active(), span);
}

/** Fastify writes `/customer/:customerID`, people and OpenAPI `/customer/{customerID}`. */
export function routeTemplate(route: string): string {
  return route.replace(/:(\w+)/g, '{$1}');
}

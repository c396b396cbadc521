import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { routeTemplate } from './spans.ts';

/** In seconds. A create takes some tens of milliseconds; what is beyond ten seconds has been given up on. */
const REQUEST_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * How often the lag of the event loop is looked at, in ms. With the library's 10 a process that has nothing to do wakes up a
 * hundred times a second. A lag is shown with this added to it.
 */
const LAG_PRECISION_MS = 100;

export type Metrics = ReturnType<typeof createMetrics>;

/**
 * The metrics of one process, one function a business event. What happens to an order once it exists is counted by its
 * workflow, whose metrics come with the SDK's: see workflows/events.ts.
 */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_PRECISION_MS });
  const registers = [registry];
  const creates = new Counter({
    name: 'order_creates_total',
    help: 'Creates that were answered, by result: created, or why there is no order.',
    labelNames: ['result'],
    registers,
  });
  const stripeEvents = new Counter({
    name: 'stripe_events_total',
    help: 'Deliveries of Stripe that were signed right, by type and by what became of them.',
    labelNames: ['type', 'outcome'],
    registers,
  });
  // There from the start, so that the alert on it asks for something that exists.
  stripeEvents.inc({ type: 'other', outcome: 'unreadable' }, 0);
  const requests = new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'Requests that were answered, by route and status.',
    labelNames: ['method', 'route', 'status_code'],
    buckets: REQUEST_BUCKETS_SECONDS,
    registers,
  });

  return {
    registry,

    /** @param result `created`, or the name of the error that the client was told */
    createAnswered(result: string): void {
      creates.inc({ result });
    },

    /** @param type of the event; all that orders do not act on count as `other`, so that Stripe adds no series */
    stripeEventTaken(type: string, outcome: string): void {
      stripeEvents.inc({ type, outcome });
    },

    requestAnswered(request: {
      readonly method: string;
      readonly route: string;
      readonly statusCode: number;
      readonly durationSeconds: number;
    }): void {
      const { method, route, statusCode, durationSeconds } = request;
      requests.observe({ method, route, status_code: statusCode }, durationSeconds);
    },

    /**
     * A gauge that `read` computes at each scrape.
     *
     * @param read returns a value for each set of labels; while it fails, the gauge is missing
     */
    watch<Label extends string>(
      name: string,
      help: string,
      labelNames: readonly Label[],
      read: () => Promise<readonly { readonly labels: Readonly<Record<Label, string>>; readonly value: number }[]>,
    ): void {
      const gauge: Gauge<Label> = new Gauge({
        name,
        help,
        labelNames,
        registers,
        async collect() {
          gauge.reset();
          for (const { labels, value } of await read().catch(() => [])) {
            gauge.set(labels, value);
          }
        },
      });
    },
  };
}

/** Counts the requests of a fastify app by route, method and status, with their duration. */
export function addRequestMetrics(app: FastifyInstance, metrics: Metrics): void {
  app.addHook('onResponse', (request, reply, next) => {
    const route = request.routeOptions.url;
    metrics.requestAnswered({
      method: request.method,
      // One series for whatever strangers try.
      route: route === undefined ? 'none' : routeTemplate(route),
      statusCode: reply.statusCode,
      durationSeconds: reply.elapsedTime / 1000,
    });
    next();
  });
}

/**
 * What `/metrics` answers: ours, and those of Temporal's SDK if the process has workers.
 *
 * @param more returns further metrics in Prometheus' text format; while it fails, ours are shown alone
 */
export function metricsPage(metrics: Metrics, more?: () => Promise<string>) {
  return {
    contentType: metrics.registry.contentType,
    async text(): Promise<string> {
      const [own, others] = await Promise.all([metrics.registry.metrics(), more?.().catch(() => '')]);
      return others === undefined ? own : `${own.trimEnd()}\n${others}`;
    },
  };
}

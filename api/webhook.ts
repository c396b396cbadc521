import type { Client } from '@temporalio/client';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { taskQueues } from '../contracts/messages.ts';
import type { Database } from '../database/database.ts';
import { findOrder, findOrderIdBy } from '../database/orders.ts';
import type { Config } from '../platform/config.ts';
import type { Logger } from '../platform/logger.ts';
import { createMetrics, type Metrics } from '../platform/metrics.ts';
import type { ReadinessChecks } from '../platform/operations-server.ts';
import { addRequestTracing, annotateSpan, joinTrace } from '../platform/spans.ts';
import { success } from './envelope.ts';
import { ApiError } from './errors.ts';
import { createHttpServer } from './http-server.ts';
import { createEventDelivery, type Delivery } from './webhook/delivery.ts';
import { verifyStripeSignature } from './webhook/signature.ts';
import { type EventForOrder, parseStripeEvent, type ReceivedEvent } from './webhook/stripe-event.ts';

/** Stripe's events are a few kilobytes; the largest that its documentation shows are far below this. */
const BODY_LIMIT_BYTES = 1024 * 1024;

type Options = {
  readonly config: Pick<Config, 'temporal' | 'trustedProxies' | 'webhook' | 'stripe'>;
  readonly client: Client;
  readonly database: Database;
  readonly checks: ReadinessChecks;
  readonly metrics?: Metrics;
  readonly logger: Logger;
};

/** Makes the receiver of Stripe's webhook, `POST /webhook`; it does not listen yet. */
export async function createWebhookReceiver({
  config,
  client,
  database,
  checks,
  metrics = createMetrics(),
  logger,
}: Options): Promise<FastifyInstance> {
  return createWebhookApp({
    deliver: createEventDelivery({
      client,
      taskQueues: taskQueues(config.temporal.taskQueuePrefix),
      findOrder: (orderId) => findOrder(database, orderId),
      findOrderIdByPaymentIntent: (paymentIntentId) => findOrderIdBy(database, 'paymentIntentId', paymentIntentId),
    }),
    endpointSecrets: config.stripe.endpointSecrets,
    livemode: config.stripe.livemode,
    checks,
    metrics,
    requestsPerMinute: config.webhook.requestsPerMinute,
    trustedProxies: config.trustedProxies,
    logger,
  });
}

/** The same with its parts given, so that it can be tried without a server. */
export async function createWebhookApp(options: {
  readonly deliver: (event: EventForOrder) => Promise<Delivery>;
  readonly endpointSecrets: readonly string[];
  readonly livemode: boolean;
  readonly checks: ReadinessChecks;
  readonly requestsPerMinute: number;
  readonly trustedProxies: readonly string[];
  readonly metrics: Metrics;
  readonly logger: Logger;
}): Promise<FastifyInstance> {
  const app = await createHttpServer({ ...options, bodyLimitBytes: BODY_LIMIT_BYTES });
  addRequestTracing(app, { parent: 'later' });
  app.removeAllContentTypeParsers();
  // The signature is over the bytes as they came, whatever their type is said to be.
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  app.post('/webhook', async (request) => {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const signature = request.headers['stripe-signature'];
    const payload = verifyStripeSignature(body, signature?.toString(), options.endpointSecrets, Date.now());
    const received = parseStripeEvent(payload);
    return joinTrace(request, received.forOrder?.traceparent, async () => {
      const delivery = await take(received);
      report(request, received, delivery);
      options.metrics.stripeEventTaken(received.forOrder === undefined ? 'other' : received.type, delivery.outcome);
      return success({ received: true, outcome: delivery.outcome });
    });
  });

  async function take(
    received: ReceivedEvent,
  ): Promise<Delivery | { outcome: 'otherMode' | 'otherAccount' | 'notHandled' }> {
    // The test and the live mode of one account may send to the same address.
    if (received.livemode !== options.livemode) return { outcome: 'otherMode' };
    if (received.ofOtherAccount) return { outcome: 'otherAccount' };
    if (received.forOrder === undefined) return { outcome: 'notHandled' };
    const delivery = await options.deliver(received.forOrder);
    if (delivery.outcome === 'unknownOrder' && mayBeEarly(received, Date.now())) {
      throw new ApiError(
        'unavailable',
        `Stripe event ${received.eventId} (${received.type}) names a payment that no order is known to have yet; send it again later`,
      );
    }
    return delivery;
  }
  return app;
}

/** An order's row knows its payment once it is PAID; this leaves time for workers that were away. */
const EARLY_FOR_MS = 3_600_000;

/**
 * Whether an event may have overtaken the payment that it is about. A dispute or a failed refund names nothing but the
 * payment, and to take it as nobody's would lose it; Stripe sends again what is not taken.
 */
function mayBeEarly({ forOrder, createdMs }: ReceivedEvent, nowMs: number): boolean {
  const { kind, paymentIntentId } = forOrder?.event ?? {};
  const namesPayment = (kind === 'dispute' || kind === 'refundFailed') && typeof paymentIntentId === 'string';
  return namesPayment && forOrder?.orderId === undefined && nowMs - createdMs < EARLY_FOR_MS;
}

/** Events that no order acts on are the most; they are worth a line only to who looks for them. */
const QUIET_OUTCOMES: ReadonlySet<string> = new Set(['notHandled', 'settled']);
const NOT_OURS: ReadonlySet<string> = new Set(['otherMode', 'otherAccount', 'unknownOrder']);

function report(
  request: FastifyRequest,
  { eventId, type }: ReceivedEvent,
  delivery: { readonly outcome: string; readonly orderId?: string | undefined },
): void {
  const { outcome, orderId } = delivery;
  if (orderId !== undefined) annotateSpan({ 'order.id': orderId });
  const level = NOT_OURS.has(outcome) ? 'warn' : QUIET_OUTCOMES.has(outcome) ? 'debug' : 'info';
  request.log[level]({ eventId, type, outcome, orderId }, `Stripe event ${outcome}`);
}

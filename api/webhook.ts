import type { Client } from '@temporalio/client';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { taskQueues } from '../contracts/messages.ts';
import type { Database } from '../database/database.ts';
import { findOrder, findOrderIdByPaymentIntent } from '../database/orders.ts';
import type { Config } from '../platform/config.ts';
import type { Logger } from '../platform/logger.ts';
import { createMetrics, type Metrics } from '../platform/metrics.ts';
import type { ReadinessChecks } from '../platform/operations-server.ts';
import { addRequestTracing, annotateSpan, joinTrace } from '../platform/spans.ts';
import { success } from './envelope.ts';
import { ApiError } from './errors.ts';
import { createHttpServer } from './http-server.ts';
import { createEventDelivery } from './webhook/delivery.ts';
import { isHandled, namesOf, readReceivedEvent, type ReceivedEvent, traceparentOf } from './webhook/stripe-event.ts';
import { verifyStripeSignature } from './webhook/signature.ts';
import { createStripeReader, type StripeReads } from './webhook/stripe-reader.ts';
import { createEventTaker, createOrderFinder, type Taken } from './webhook/take-event.ts';

/** How long the log says nothing more of forged events once it has told of one. */
const REFUSAL_LINE_EVERY_MS = 10_000;
/** Stripe's events are a few kilobytes; the largest that its documentation shows are far below this. */
const BODY_LIMIT_BYTES = 1024 * 1024;

type Options = {
  readonly config: Pick<Config, 'temporal' | 'trustedProxies' | 'webhook' | 'stripe' | 'stripeRetryMaxMs'>;
  readonly client: Client;
  readonly database: Database;
  readonly stripe: StripeReads;
  readonly checks: ReadinessChecks;
  readonly metrics?: Metrics;
  readonly logger: Logger;
};

/** Makes the receiver of Stripe's webhook, `POST /webhook`; it does not listen yet. */
export async function createWebhookReceiver({
  config,
  client,
  database,
  stripe,
  checks,
  metrics = createMetrics(),
  logger,
}: Options): Promise<FastifyInstance> {
  return createWebhookApp({
    deliver: createEventDelivery({
      client,
      taskQueues: taskQueues(config.temporal.taskQueuePrefix),
      findOrder: (orderId) => findOrder(database, orderId),
      stripeRetryMaxMs: config.stripeRetryMaxMs,
    }),
    findOrderIdByPaymentIntent: (paymentIntentId) => findOrderIdByPaymentIntent(database, paymentIntentId),
    stripe,
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
  readonly deliver: ReturnType<typeof createEventDelivery>;
  readonly findOrderIdByPaymentIntent: (paymentIntentId: string) => Promise<string | undefined>;
  readonly stripe: StripeReads;
  readonly endpointSecrets: readonly string[];
  readonly livemode: boolean;
  readonly checks: ReadinessChecks;
  readonly requestsPerMinute: number;
  readonly trustedProxies: readonly string[];
  readonly receiveTimeoutMs?: number;
  readonly metrics: Metrics;
  readonly logger: Logger;
}): Promise<FastifyInstance> {
  const { deliver, findOrderIdByPaymentIntent, endpointSecrets, livemode, metrics, logger } = options;
  const reader = createStripeReader(options.stripe);
  const orderOf = createOrderFinder({ findOrderIdByPaymentIntent, reader });
  const takeEvent = createEventTaker({ livemode, orderOf, reader, deliver });

  const app = await createHttpServer({ ...options, bodyLimitBytes: BODY_LIMIT_BYTES });
  addRequestTracing(app, { parent: 'later' });
  app.removeAllContentTypeParsers();
  // The signature is over the raw bytes, whatever their content type.
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  app.post('/webhook', async (request) => {
    const payload = verify(request);
    const received = readReceivedEvent(payload);
    return joinTrace(request, received && traceparentOf(received), async () => {
      const { outcome } = received === undefined ? takeUnread(payload) : await take(received);
      metrics.stripeEventTaken(received !== undefined && isHandled(received) ? received.type : 'other', outcome);
      return success({ received: true, outcome });
    });
  });

  let refusedSinceTold = 0;
  let tellAgainAtMs = 0;

  /** Anybody can send forged events, and shall not fill the log: one line in a while, which counts the others. */
  function tellRefused(details: object, message: string): void {
    const nowMs = Date.now();
    if (nowMs < tellAgainAtMs) {
      refusedSinceTold += 1;
      return;
    }
    const more = refusedSinceTold > 0 && { refusedSinceLastLine: refusedSinceTold };
    logger.warn({ ...details, ...more }, `Stripe event refused. ${message}`);
    refusedSinceTold = 0;
    tellAgainAtMs = nowMs + REFUSAL_LINE_EVERY_MS;
  }

  function verify(request: FastifyRequest): unknown {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const header = request.headers['stripe-signature']?.toString();
    try {
      return verifyStripeSignature(body, header, endpointSecrets, Date.now());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // Without a valid signature nothing of the body can be trusted, so there is no event to name.
      tellRefused({ bytes: body.length, remoteAddress: request.ip }, error.message);
      throw error;
    }
  }

  /** A thin event, or something else with a valid signature that contains no object. */
  function takeUnread(payload: unknown): Taken {
    logger.warn(
      namesOf(payload),
      'Stripe sent an event without its object: the endpoint at Stripe is set to thin payloads. Make one with snapshot payloads, and delete this one; with `stripe listen`, add --all-snapshot',
    );
    return { outcome: 'notHandled' };
  }

  async function take(received: ReceivedEvent): Promise<Taken> {
    const { eventId, type } = received;
    try {
      const taken = await takeEvent(received, logger);
      const { outcome, orderId } = taken;
      if (orderId !== undefined) annotateSpan({ 'order.id': orderId });
      const level = MISPLACED.has(outcome) ? 'warn' : QUIET.has(outcome) ? 'debug' : 'info';
      logger[level]({ eventId, type, outcome, orderId }, `Stripe event ${outcome}`);
      return taken;
    } catch (error) {
      // The reason is logged in a line of its own.
      logger.warn({ eventId, type }, 'Stripe event not accepted; Stripe sends it again');
      throw error;
    }
  }
  return app;
}

/** Most events are not about orders, so they are logged at debug level only. */
const QUIET: ReadonlySet<string> = new Set(['notHandled', 'settled']);
/** They should not be sent here at all, which is worth a warning. */
const MISPLACED: ReadonlySet<string> = new Set(['otherMode', 'otherAccount']);

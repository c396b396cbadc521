import { Stripe } from 'stripe';
import { onTestFinished } from 'vitest';
import type { StripeEvent } from '../../domain/stripe-event.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { createWebhookApp } from '../webhook.ts';
import type { DeliveryOutcome } from '../webhook/delivery.ts';
import type { StripeReads } from '../webhook/stripe-reader.ts';

const SECRETS = ['whsec_new', 'whsec_old'];
export const ORDER_ID = '68ce52f4cdbf4a483de63446';
export const TRACE_ID = '654f54b90d7ed003c4d05fad87e5a925';
export const METADATA = { order_id: ORDER_ID, traceparent: `00-${TRACE_ID}-0123456789abcdef-01` };

/** A paid Checkout Session of an order, as an event carries it. */
export const SESSION = {
  id: 'cs_test_1',
  object: 'checkout.session',
  livemode: false,
  client_reference_id: ORDER_ID,
  status: 'complete',
  payment_status: 'paid',
  payment_intent: 'pi_1',
  amount_total: 4500,
  currency: 'usd',
  metadata: METADATA,
  customer_details: { email: 'person@example.com', name: 'A Person' },
};

/** An event as Stripe sends it; what a test says otherwise stands in `changes`. */
export function wireEvent(type: string, object: unknown, changes: Record<string, unknown> = {}) {
  return {
    id: 'evt_1',
    object: 'event',
    type,
    created: 1_763_800_000,
    livemode: false,
    api_version: Stripe.API_VERSION,
    data: { object },
    ...changes,
  };
}

export function sign(payload: string, { secret = 'whsec_new', ageSeconds = 0 } = {}): string {
  const timestamp = Math.floor(Date.now() / 1000) - ageSeconds;
  return Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp });
}

export function resourceMissing(): Error {
  return Stripe.errors.generateV1Error({
    type: 'invalid_request_error',
    code: 'resource_missing',
    message: 'No such object',
    statusCode: 404,
  });
}

type FakeWorld = {
  /** The objects that Stripe has, by id; what is not there is `resource_missing`. An error is thrown. */
  readonly atStripe?: Readonly<Record<string, unknown>>;
  /** The orders whose rows have a payment, by payment intent. */
  readonly rows?: Readonly<Record<string, string>>;
  readonly deliver?: (orderId: string, event: StripeEvent) => Promise<DeliveryOutcome>;
  readonly receiveTimeoutMs?: number;
};

/** The webhook receiver without Temporal, PostgreSQL and Stripe behind it; it is closed with the test. */
export async function startWebhook({
  atStripe = {},
  rows = {},
  deliver = async () => 'delivered',
  receiveTimeoutMs,
}: FakeWorld = {}) {
  const delivered: { readonly orderId: string; readonly event: StripeEvent }[] = [];
  /** What was asked of Stripe and of PostgreSQL, in order. */
  const asked: string[] = [];
  const log: Record<string, unknown>[] = [];
  const metrics = createMetrics();
  const retrieve = async (id: string) => {
    asked.push(`stripe ${id}`);
    const object = atStripe[id];
    if (object instanceof Error) throw object;
    if (object === undefined) throw resourceMissing();
    return object;
  };
  const app = await createWebhookApp({
    deliver: (orderId, event) => {
      delivered.push({ orderId, event });
      return deliver(orderId, event);
    },
    findOrderIdByPaymentIntent: async (id) => {
      asked.push(`row ${id}`);
      return rows[id];
    },
    stripe: { checkout: { sessions: { retrieve } }, paymentIntents: { retrieve } } as unknown as StripeReads,
    endpointSecrets: SECRETS,
    livemode: false,
    checks: {},
    requestsPerMinute: 1000,
    trustedProxies: [],
    ...(receiveTimeoutMs !== undefined && { receiveTimeoutMs }),
    logger: createLogger({ production: true, logLevel: 'debug' }, 'test', {
      write: (line) => log.push(JSON.parse(line) as Record<string, unknown>),
    }),
    metrics,
  });
  onTestFinished(() => app.close());
  const sendRaw = (payload: string, signature: string | undefined) =>
    app.inject({
      method: 'POST',
      url: '/webhook',
      headers: {
        'content-type': 'application/json',
        ...(signature !== undefined && { 'stripe-signature': signature }),
      },
      payload,
    });
  return {
    app,
    delivered,
    asked,
    metrics,
    sendRaw,
    /** Sends an event with the right signature. */
    send: async (event: unknown) => {
      const body = JSON.stringify(event);
      const response = await sendRaw(body, sign(body));
      const answer = response.json<{ data: { outcome: string } | null; message: string; traceID: string }>();
      return { status: response.statusCode, outcome: answer.data?.outcome, ...answer };
    },
    /** The log lines of a level, without the lines of each request. */
    logged: (level: string) => log.filter((line) => line['level'] === level && line['msg'] !== 'request answered'),
  };
}

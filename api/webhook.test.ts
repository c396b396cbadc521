import type { FastifyInstance } from 'fastify';
import { Stripe } from 'stripe';
import { afterEach, describe, expect, test } from 'vitest';
import { fakeDependencies } from './testing/fakes.ts';
import { createWebhookApp } from './webhook.ts';
import type { EventForOrder } from './webhook/stripe-event.ts';

const SECRETS = ['whsec_new', 'whsec_old'];
const ORDER_ID = '68ce52f4cdbf4a483de63446';
const EVENT = {
  id: 'evt_1',
  object: 'event',
  type: 'payment_intent.payment_failed',
  created: 1_763_800_000,
  livemode: false,
  data: { object: { id: 'pi_1', metadata: { order_id: ORDER_ID }, last_payment_error: { code: 'expired_card' } } },
};

let app: FastifyInstance | undefined;
afterEach(async () => {
  await app?.close();
});

async function start(
  deliver: (event: EventForOrder) => ReturnType<Parameters<typeof createWebhookApp>[0]['deliver']> = async () => ({
    outcome: 'delivered',
    orderId: ORDER_ID,
  }),
) {
  const { logger, metrics } = fakeDependencies().dependencies;
  const delivered: EventForOrder[] = [];
  app = await createWebhookApp({
    deliver: (event) => {
      delivered.push(event);
      return deliver(event);
    },
    endpointSecrets: SECRETS,
    livemode: false,
    checks: {},
    requestsPerMinute: 1000,
    trustedProxies: [],
    logger,
    metrics,
  });
  const receiver = app;
  const send = (payload: string, signature: string | undefined) =>
    receiver.inject({
      method: 'POST',
      url: '/webhook',
      headers: {
        'content-type': 'application/json',
        ...(signature !== undefined && { 'stripe-signature': signature }),
      },
      payload,
    });
  return { send, delivered, metrics };
}

function sign(payload: string, { secret = 'whsec_new', ageSeconds = 0 } = {}): string {
  const timestamp = Math.floor(Date.now() / 1000) - ageSeconds;
  return Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp });
}

describe('signatures', () => {
  const body = JSON.stringify(EVENT);

  test.each([
    ['the new secret', sign(body)],
    ['the old secret, while they change', sign(body, { secret: 'whsec_old' })],
    ['an age below the tolerance', sign(body, { ageSeconds: 290 })],
    ['a clock that is a little ahead', sign(body, { ageSeconds: -290 })],
  ])('takes %s', async (_name, signature) => {
    const { send, delivered } = await start();
    const response = await send(body, signature);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ data: { received: true, outcome: 'delivered' }, errorCode: 0 });
    expect(delivered).toMatchObject([{ orderId: ORDER_ID, event: { kind: 'declined', code: 'expired_card' } }]);
  });

  test.each([
    ['no signature', body, undefined, 'missing'],
    ['another secret', body, sign(body, { secret: 'whsec_other' }), 'does not match'],
    ['another body', `${body} `, sign(body), 'does not match'],
    ['an old signature', body, sign(body, { ageSeconds: 301 }), 'older than 300 seconds'],
    ['an old signature of the old secret', body, sign(body, { secret: 'whsec_old', ageSeconds: 301 }), 'older than'],
    ['a signature from the future', body, sign(body, { ageSeconds: -310 }), 'from the future'],
    ['nonsense', body, 'nonsense', 'does not match'],
    ['no body', '', sign(''), 'JSON'],
    ['a signed body that is no JSON', 'x', sign('x'), 'JSON'],
    ['a signed body that is no event', '[]', sign('[]'), 'not valid'],
  ])('refuses %s, and delivers nothing', async (_name, payload, signature, problem) => {
    const { send, delivered } = await start();
    const response = await send(payload, signature);
    expect(response.statusCode).toBe(400);
    expect(response.json<{ message: string }>().message).toContain(problem);
    expect(delivered).toEqual([]);
  });

  test('refuses a body over 1 MB', async () => {
    const { send, delivered } = await start();
    const large = JSON.stringify({ ...EVENT, filler: 'x'.repeat(1024 * 1024) });
    expect((await send(large, sign(large))).statusCode).toBe(413);
    expect(delivered).toEqual([]);
  });
});

describe('what becomes of an event', () => {
  test('answers 200 to one that is not ours or that no order acts on, without delivering it', async () => {
    const { send, delivered, metrics } = await start();
    const live = JSON.stringify({ ...EVENT, livemode: true });
    expect((await send(live, sign(live))).json()).toMatchObject({ data: { outcome: 'otherMode' } });
    const connected = JSON.stringify({ ...EVENT, account: 'acct_other' });
    expect((await send(connected, sign(connected))).json()).toMatchObject({ data: { outcome: 'otherAccount' } });
    const other = JSON.stringify({ ...EVENT, type: 'charge.succeeded' });
    const response = await send(other, sign(other));
    expect([response.statusCode, response.json()]).toMatchObject([200, { data: { outcome: 'notHandled' } }]);
    expect(delivered).toEqual([]);
    expect(await metrics.registry.metrics()).toContain('stripe_events_total{type="other",outcome="notHandled"} 1');
  });

  test('answers 503 where Temporal or PostgreSQL is away, so that Stripe sends it again', async () => {
    const away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const { send } = await start(() => Promise.reject(away));
    const body = JSON.stringify(EVENT);
    expect((await send(body, sign(body))).statusCode).toBe(503);
  });

  test.each([
    { what: 'a moment ago: 503, since its payment may not be known yet', ageSeconds: 5, status: 503 },
    { what: 'hours ago: 200, since it is nobody of ours', ageSeconds: 4 * 3600, status: 200 },
  ])('answers to a dispute of an unknown payment, opened $what', async ({ ageSeconds, status }) => {
    const { send } = await start(async () => ({ outcome: 'unknownOrder', orderId: undefined }));
    const object = { id: 'du_1', payment_intent: 'pi_1', status: 'needs_response', reason: 'fraudulent', amount: 1 };
    const body = JSON.stringify({
      ...EVENT,
      type: 'charge.dispute.created',
      created: Math.floor(Date.now() / 1000) - ageSeconds,
      data: { object: { ...object, currency: 'usd' } },
    });
    expect((await send(body, sign(body))).statusCode).toBe(status);
  });
});

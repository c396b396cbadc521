import { Stripe } from 'stripe';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createLogger } from '../platform/logger.ts';
import { startTelemetry } from '../platform/telemetry.ts';
import {
  METADATA,
  ORDER_ID,
  resourceMissing,
  SESSION,
  sign,
  startWebhook,
  TRACE_ID,
  wireEvent,
} from './testing/webhook.ts';

const PAID = wireEvent('checkout.session.completed', SESSION);
const DISPUTE = { id: 'du_1', object: 'dispute', payment_intent: 'pi_1', status: 'needs_response', metadata: {} };
const DISPUTED = wireEvent('charge.dispute.created', DISPUTE);
const OF_OTHER_SALE = { ...SESSION, metadata: {}, payment_intent: 'pi_other' };

function stripeError(statusCode: number, type: string): Error {
  return Stripe.errors.generateV1Error({ statusCode, type, message: `Stripe answered ${statusCode}` } as never);
}

describe('signatures', () => {
  const body = JSON.stringify(PAID);

  test.each([
    ['the new secret', sign(body)],
    ['the old secret, while they change', sign(body, { secret: 'whsec_old' })],
    ['an age below the tolerance', sign(body, { ageSeconds: 290 })],
    ['a clock that is a little ahead', sign(body, { ageSeconds: -290 })],
  ])('takes %s', async (_name, signature) => {
    const { sendRaw, delivered } = await startWebhook();
    const response = await sendRaw(body, signature);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ data: { received: true, outcome: 'delivered' }, errorCode: 0 });
    expect(delivered).toMatchObject([{ orderId: ORDER_ID, event: { about: 'session' } }]);
  });

  test.each([
    ['no signature', body, undefined, 'missing'],
    ['another secret', body, sign(body, { secret: 'whsec_other' }), 'does not match'],
    ['another body', `${body} `, sign(body), 'does not match'],
    ['an old signature', body, sign(body, { ageSeconds: 301 }), 'older than 300 seconds'],
    ['an old signature of the old secret', body, sign(body, { secret: 'whsec_old', ageSeconds: 301 }), 'older than'],
    ['a signature from the future', body, sign(body, { ageSeconds: -310 }), 'from the future'],
    ['nonsense', body, 'nonsense', 'does not match'],
    ['an empty header with its parts', body, 't=,v1=', 'does not match'],
    ['a time without a signature', body, `t=${Math.floor(Date.now() / 1000)},v1=`, 'does not match'],
    ['a signature without a time', body, sign(body).replace(/t=\d+/, 't='), 'does not match'],
    ['letters that are not ASCII', body, `t=1,v1=${'é'.repeat(64)}`, 'does not match'],
    ['no body', '', sign(''), 'JSON'],
    ['a signed body that is not JSON', 'x', sign('x'), 'JSON'],
  ])('refuses %s with 400 and a warning, and delivers nothing', async (_name, payload, signature, problem) => {
    const { sendRaw, delivered, logged } = await startWebhook();
    const response = await sendRaw(payload, signature);
    expect(response.statusCode).toBe(400);
    expect(response.json<{ message: string }>().message).toContain(problem);
    expect(logged('warn').map(({ msg }) => msg)).toEqual([expect.stringContaining(problem)]);
    expect(logged('error')).toEqual([]);
    expect(delivered).toEqual([]);
  });

  test('tells of a flood of forged events in one line for ten seconds, and counts the others', async () => {
    const { sendRaw, logged } = await startWebhook();
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    for (let sent = 0; sent < 5; sent += 1) expect((await sendRaw(body, 'forged')).statusCode).toBe(400);
    expect(logged('warn')).toHaveLength(1);
    vi.setSystemTime(Date.now() + 10_000);
    await sendRaw(body, 'forged');
    expect(logged('warn')).toMatchObject([{}, { refusedSinceLastLine: 4 }]);
  });

  test('refuses a body over 1 MB', async () => {
    const { sendRaw, delivered } = await startWebhook();
    const large = JSON.stringify({ ...PAID, filler: 'x'.repeat(1024 * 1024) });
    expect((await sendRaw(large, sign(large))).statusCode).toBe(413);
    expect(delivered).toEqual([]);
  });
});

describe('events that are not of an order of ours', () => {
  test.each([
    [
      'a thin event',
      { id: 'evt_1', object: 'v2.core.event', type: 'v1.x', livemode: false, related_object: { id: 'x' } },
    ],
    ['a thin event of a type that orders act on', { ...PAID, object: 'v2.core.event' }],
    ['an event without its object', { ...PAID, data: undefined }],
    ['an event whose object is null', { ...PAID, data: { object: null } }],
    ['a list', []],
    ['null', null],
  ])('takes %s, and says how to fix the endpoint', async (_name, event) => {
    const { send, delivered, logged } = await startWebhook();
    expect(await send(event)).toMatchObject({ status: 200, outcome: 'notHandled' });
    expect(logged('warn').map(({ msg }) => msg)).toEqual([expect.stringContaining('with snapshot payloads')]);
    expect(logged('error')).toEqual([]);
    expect(delivered).toEqual([]);
  });

  test('names a thin event in its warning', async () => {
    const { send, logged } = await startWebhook();
    await send({ id: 'evt_thin', object: 'v2.core.event', type: 'v1.thin' });
    expect(logged('warn')).toMatchObject([{ eventId: 'evt_thin', type: 'v1.thin' }]);
  });

  const UNREADABLE = { ...SESSION, status: 7, metadata: METADATA };
  test.each([
    ['of the live mode', { ...PAID, livemode: true }, 'otherMode'],
    ['of the live mode, in a shape of its own', { ...PAID, livemode: true, data: { object: UNREADABLE } }, 'otherMode'],
    ['of no mode', { ...PAID, livemode: undefined }, 'otherMode'],
    ['of a connected account', { ...PAID, account: 'acct_other' }, 'otherAccount'],
    [
      'of a connected account, in a shape of its own',
      { ...PAID, account: 'acct_other', data: { object: UNREADABLE } },
      'otherAccount',
    ],
    ['of a type that orders do not act on', wireEvent('charge.succeeded', {}), 'notHandled'],
    ['of a type that does not exist yet', wireEvent('checkout.session.renamed', SESSION), 'notHandled'],
    ['of another sale', wireEvent('checkout.session.completed', OF_OTHER_SALE), 'unknownOrder'],
    [
      'of another sale, in a new shape',
      wireEvent('checkout.session.completed', { ...OF_OTHER_SALE, status: 'paused', amount_total: '1' }),
      'unknownOrder',
    ],
    [
      'of another sale, in another API version',
      wireEvent('checkout.session.completed', OF_OTHER_SALE, { api_version: '2020-08-27' }),
      'unknownOrder',
    ],
    [
      'of a sale whose buyer wrote one of our orders into the address of its Payment Link',
      wireEvent('checkout.session.completed', { ...OF_OTHER_SALE, client_reference_id: ORDER_ID }),
      'unknownOrder',
    ],
    [
      'of a sale with an order id of another form',
      wireEvent('checkout.session.completed', { ...OF_OTHER_SALE, metadata: { order_id: 'A-4711' } }),
      'unknownOrder',
    ],
    [
      'of a declined payment for something else',
      wireEvent('payment_intent.payment_failed', { id: 'pi_other' }),
      'unknownOrder',
    ],
    ['of nothing at all', wireEvent('charge.dispute.created', {}), 'unknownOrder'],
  ])('takes one %s, and changes nothing', async (_name, event, outcome) => {
    const { send, delivered, asked, logged } = await startWebhook();
    expect(await send(event)).toMatchObject({ status: 200, outcome });
    expect([delivered, asked]).toEqual([[], []]);
    expect(logged('error')).toEqual([]);
  });

  test('counts what orders do not act on under one type', async () => {
    const { send, metrics } = await startWebhook();
    await send(wireEvent('charge.succeeded', {}));
    await send(wireEvent('invoice.paid', {}));
    expect(await metrics.registry.metrics()).toContain('stripe_events_total{type="other",outcome="notHandled"} 2');
  });

  test('names event and type in the line of each outcome', async () => {
    const { send, logged } = await startWebhook();
    await send({ ...PAID, id: 'evt_live', livemode: true });
    await send({ ...PAID, id: 'evt_paid' });
    expect(logged('warn')).toMatchObject([{ eventId: 'evt_live', type: PAID.type, outcome: 'otherMode' }]);
    expect(logged('info')).toMatchObject([
      { eventId: 'evt_paid', type: PAID.type, outcome: 'delivered', orderId: ORDER_ID },
    ]);
  });
});

describe('whose order an event is', () => {
  test('a session names it, and nobody is asked', async () => {
    const { send, delivered, asked } = await startWebhook();
    await send(PAID);
    expect([delivered.map(({ orderId }) => orderId), asked]).toEqual([[ORDER_ID], []]);
  });

  test('a charge that names it is enough', async () => {
    const { send, delivered, asked } = await startWebhook();
    await send(wireEvent('charge.refunded', { id: 'ch_1', payment_intent: 'pi_1', metadata: METADATA }));
    expect(delivered).toMatchObject([{ orderId: ORDER_ID, event: { about: 'charge', paymentIntentId: 'pi_1' } }]);
    expect(asked).toEqual([]);
  });

  test('a dispute names a payment, which the row of an order has', async () => {
    const { send, delivered, asked } = await startWebhook({ rows: { pi_1: ORDER_ID } });
    expect(await send(DISPUTED)).toMatchObject({ status: 200, outcome: 'delivered' });
    expect(delivered).toMatchObject([{ orderId: ORDER_ID, event: { about: 'charge', paymentIntentId: 'pi_1' } }]);
    expect(asked).toEqual(['row pi_1']);
  });

  test('a dispute that overtakes its payment finds the order in the payment at Stripe', async () => {
    const { send, delivered, asked } = await startWebhook({ atStripe: { pi_1: { id: 'pi_1', metadata: METADATA } } });
    expect(await send(DISPUTED)).toMatchObject({ status: 200, outcome: 'delivered' });
    expect(delivered.map(({ orderId }) => orderId)).toEqual([ORDER_ID]);
    expect(asked).toEqual(['row pi_1', 'stripe pi_1']);
  });

  test("what people write into a dispute's metadata does not count", async () => {
    const { send, delivered } = await startWebhook({ atStripe: { pi_1: { id: 'pi_1', metadata: {} } } });
    const named = wireEvent('charge.dispute.created', { ...DISPUTE, metadata: METADATA });
    expect(await send(named)).toMatchObject({ status: 200, outcome: 'unknownOrder' });
    expect(delivered).toEqual([]);
  });

  test.each([
    ['a payment for something else', { pi_1: { id: 'pi_1', metadata: {} } }],
    ['a payment that Stripe does not know', { pi_1: resourceMissing() }],
  ])('a dispute of %s is taken at once, however new it is', async (_name, atStripe) => {
    const { send, delivered } = await startWebhook({ atStripe });
    const opened = { ...DISPUTED, created: Math.floor(Date.now() / 1000) };
    expect(await send(opened)).toMatchObject({ status: 200, outcome: 'unknownOrder' });
    expect(delivered).toEqual([]);
  });

  test.each([
    ['is down', stripeError(500, 'api_error'), 'unavailable'],
    ['limits us', stripeError(429, 'rate_limit_error'), 'unavailable'],
    ['refuses our key', stripeError(401, 'authentication_error'), 'STRIPE_KEY'],
    ['lets a restricted key read no payments', stripeError(403, 'permission_error'), 'restricted key'],
  ])('if Stripe %s, the event is to come again', async (_name, error, problem) => {
    const { send, delivered, logged } = await startWebhook({ atStripe: { pi_1: error } });
    const answer = await send(DISPUTED);
    expect(answer.status).toBe(503);
    expect(answer.message).toContain(problem);
    expect(logged('warn')).toMatchObject([{ eventId: 'evt_1', type: 'charge.dispute.created' }]);
    expect(delivered).toEqual([]);
  });

  test('if what answers is not Stripe, the event is to come again', async () => {
    const { send, delivered } = await startWebhook({ atStripe: { pi_1: 'a page of a proxy' } });
    expect((await send(DISPUTED)).status).toBe(503);
    expect(delivered).toEqual([]);
  });
});

describe('events in another API version', () => {
  const OLD = { api_version: '2020-08-27' };
  // In the event it is paid; what counts is what Stripe says of it.
  const AT_STRIPE = { ...SESSION, payment_status: 'unpaid', payment_intent: { id: 'pi_1', status: 'processing' } };

  test('are read again from Stripe instead of trusted', async () => {
    const { send, delivered, asked } = await startWebhook({ atStripe: { cs_test_1: AT_STRIPE } });
    expect(await send({ ...PAID, ...OLD })).toMatchObject({ status: 200, outcome: 'delivered' });
    expect(delivered).toMatchObject([
      { orderId: ORDER_ID, event: { eventId: 'evt_1', type: PAID.type, session: { payment: 'unpaid' } } },
    ]);
    expect(asked).toEqual(['stripe cs_test_1']);
  });

  test('that say nothing of their version are read again too', async () => {
    const { send, asked } = await startWebhook({ atStripe: { cs_test_1: SESSION } });
    await send({ ...PAID, api_version: null });
    expect(asked).toEqual(['stripe cs_test_1']);
  });

  test('that tell of a decline have the payment read', async () => {
    const intent = { id: 'pi_1', last_payment_error: { code: 'card_declined', decline_code: 'insufficient_funds' } };
    const { send, delivered } = await startWebhook({ atStripe: { pi_1: intent } });
    const object = { id: 'pi_1', metadata: METADATA, last_payment_error: { code: 'expired_card' } };
    await send(wireEvent('payment_intent.payment_failed', object, OLD));
    expect(delivered).toMatchObject([{ event: { about: 'decline', code: 'insufficient_funds' } }]);
  });

  test('that are hints at a charge need nothing read, since nothing in them is believed', async () => {
    const { send, delivered, asked } = await startWebhook({ rows: { pi_1: ORDER_ID } });
    await send({ ...DISPUTED, ...OLD });
    expect(delivered).toMatchObject([{ event: { about: 'charge' } }]);
    expect(asked).toEqual(['row pi_1']);
  });

  test('warn once for each version, with both versions and the fix', async () => {
    const { send, logged } = await startWebhook({ atStripe: { cs_test_1: SESSION } });
    for (const api_version of ['2020-08-27', '2020-08-27', '2099-01-01.zebra']) await send({ ...PAID, api_version });
    expect(logged('warn')).toMatchObject([
      { apiVersion: '2020-08-27', expected: Stripe.API_VERSION, eventId: 'evt_1', type: PAID.type },
      { apiVersion: '2099-01-01.zebra' },
    ]);
    expect(logged('warn')[0]?.['msg']).toContain(`Make an endpoint at Stripe with API version ${Stripe.API_VERSION}`);
    expect(logged('debug').filter(({ apiVersion }) => apiVersion === '2020-08-27')).toHaveLength(1);
  });

  test('whose object Stripe does not know are not ours', async () => {
    const { send, delivered } = await startWebhook();
    expect(await send({ ...PAID, ...OLD })).toMatchObject({ status: 200, outcome: 'unknownOrder' });
    expect(delivered).toEqual([]);
  });

  test('come again if Stripe is down', async () => {
    const { send } = await startWebhook({ atStripe: { cs_test_1: stripeError(500, 'api_error') } });
    expect((await send({ ...PAID, ...OLD })).status).toBe(503);
  });
});

describe('an event of ours in a shape that is not known', () => {
  const PAUSED = wireEvent('checkout.session.completed', { ...SESSION, status: 'paused' });

  test('is read again, and delivered as Stripe has it now', async () => {
    const { send, delivered, logged } = await startWebhook({ atStripe: { cs_test_1: SESSION } });
    expect(await send(PAUSED)).toMatchObject({ status: 200, outcome: 'delivered' });
    expect(delivered).toMatchObject([{ event: { session: { status: 'complete', payment: 'paid' } } }]);
    expect(logged('warn')).toMatchObject([
      { eventId: 'evt_1', type: PAUSED.type, problems: [expect.stringMatching(/^status: /)] },
    ]);
  });

  test.each([
    ['a session in a new status', PAUSED, { cs_test_1: { ...SESSION, status: 'paused' } }],
    [
      'a session with a new payment status',
      wireEvent('checkout.session.completed', { ...SESSION, payment_status: 'partly_paid' }),
      { cs_test_1: { ...SESSION, payment_status: 'partly_paid' } },
    ],
    ['a session without an id', wireEvent('checkout.session.completed', { ...SESSION, id: undefined }), {}],
    [
      'a decline with an error that is a text',
      wireEvent('payment_intent.payment_failed', { id: 'pi_1', metadata: METADATA, last_payment_error: 'declined' }),
      { pi_1: { id: 'pi_1', last_payment_error: 'declined' } },
    ],
  ])('and unreadable at Stripe too is taken, and is an error for a person: %s', async (_name, event, atStripe) => {
    const { send, delivered, logged, metrics } = await startWebhook({ atStripe });
    expect(await send(event)).toMatchObject({ status: 200, outcome: 'unreadable' });
    expect(delivered).toEqual([]);
    expect(logged('error')).toMatchObject([{ eventId: 'evt_1', type: event.type, orderId: ORDER_ID }]);
    expect(logged('error')[0]?.['problems']).not.toEqual([]);
    expect(await metrics.registry.metrics()).toContain(
      `stripe_events_total{type="${event.type}",outcome="unreadable"} 1`,
    );
  });
});

test('answers 503 if Temporal or PostgreSQL is down, so that Stripe sends it again', async () => {
  const away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const { send } = await startWebhook({ deliver: () => Promise.reject(away) });
  expect((await send(PAID)).status).toBe(503);
});

describe('the traceID of an answer', () => {
  let telemetry: ReturnType<typeof startTelemetry>;
  beforeAll(() => {
    telemetry = startTelemetry({
      serviceName: 'test',
      config: { telemetry: { zipkinUrl: undefined, otlpTracesUrl: undefined } },
      logger: createLogger({ production: true, logLevel: 'silent' }, 'test'),
    });
  });
  afterAll(() => telemetry.shutdown());

  const REAL = /^(?!0{32})[0-9a-f]{32}$/;

  test("is the order's own if the event carries its trace", async () => {
    const { send } = await startWebhook();
    expect((await send(PAID)).traceID).toBe(TRACE_ID);
  });

  test.each([
    ['an event that orders do not act on', async () => wireEvent('charge.succeeded', {}), {}],
    ['a thin event', async () => ({ object: 'v2.core.event' }), {}],
    ['an event that is to come again', async () => DISPUTED, { atStripe: { pi_1: stripeError(500, 'api_error') } }],
  ])('is real for %s', async (_name, event, world) => {
    const { send } = await startWebhook(world);
    expect((await send(await event())).traceID).toMatch(REAL);
  });

  test('is real for a refused signature, and for a path that does not exist', async () => {
    const { sendRaw } = await startWebhook();
    expect((await sendRaw('{}', 't=,v1=')).json<{ traceID: string }>().traceID).toMatch(REAL);
    expect((await sendRaw('{}', undefined)).json<{ traceID: string }>().traceID).toMatch(REAL);
  });
});

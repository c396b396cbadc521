import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { RequestLogEntry } from './api.ts';
import { readCardForm } from './cards.ts';
import { closeDispute, openDispute } from './disputes.ts';
import { resourceMissing, StripeApiError } from './errors.ts';
import { buildEvent, NO_REQUEST, type Account } from './events.ts';
import { fault, type Faults } from './faults.ts';
import { listSessions, readLedger } from './ledger.ts';
import type { Method } from './payment-objects.ts';
import { failRefund } from './refunds.ts';
import * as sessionPayments from './session-payments.ts';
import * as sessions from './sessions.ts';
import { webhookRule, type WebhookRules } from './webhook-rules.ts';
import type { Webhooks } from './webhooks.ts';

export type AdminOptions = {
  account: Account;
  faults: Faults;
  webhooks: Webhooks;
  rules: WebhookRules;
  requests: () => readonly RequestLogEntry[];
};

const payBody = z.strictObject({
  method: z.enum(['card', 'bank_debit']).default('card'),
  card: z.string().default('4242424242424242'),
  /** What the customer does where the card asks for 3-D Secure; left out, the payment waits for it. */
  threeDSecure: z.enum(['pass', 'fail']).optional(),
});
const sendEventBody = z.strictObject({
  type: z.string().min(1),
  object: z.record(z.string(), z.unknown()),
  id: z.string().optional(),
  livemode: z.boolean().optional(),
  account: z.string().optional(),
  created: z.int().optional(),
  api_version: z.string().optional(),
  copies: z.int().min(1).max(100).default(1),
});
const orderQuery = z.strictObject({ orderId: z.string().optional() });
const endpointBody = z.strictObject({ url: z.url().optional(), secret: z.string().startsWith('whsec_').optional() });
const idOf = (request: FastifyRequest) => z.object({ id: z.string() }).parse(request.params).id;

/** The face for tests under /sandbox, for callers on this machine alone. */
export function registerAdmin(app: FastifyInstance, options: AdminOptions): void {
  app.addHook('onRequest', async (request) => {
    if (!isLocal(request)) {
      throw new StripeApiError(403, {
        type: 'invalid_request_error',
        message: "The sandbox's admin face answers callers on its own machine alone (127.0.0.1 or ::1).",
      });
    }
  });
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof StripeApiError) return reply.status(error.status).send(error.envelope);
    if (error instanceof z.ZodError) return reply.status(400).send({ error: { message: z.prettifyError(error) } });
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    if (status >= 500) request.log.error({ err: error }, 'the sandbox failed at an admin request');
    return reply.status(status).send({ error: { message: error instanceof Error ? error.message : String(error) } });
  });
  registerMoney(app, options);
  registerWebhooks(app, options);
  registerFaults(app, options);
}

/** Nobody from another machine, and no page of another site that a browser here has open (DNS rebinding). */
function isLocal(request: FastifyRequest): boolean {
  const address = request.raw.socket.remoteAddress ?? '';
  const host = URL.canParse(`http://${request.host}`) ? new URL(`http://${request.host}`).hostname : '';
  const sameSite = request.headers['sec-fetch-site'] ?? 'none';
  return (
    /^(127\.|::1$|::ffff:127\.)/.test(address) &&
    /^(localhost|127(\.\d+){3}|\[::1\])$/.test(host) &&
    (sameSite === 'none' || sameSite === 'same-origin')
  );
}

function registerMoney(app: FastifyInstance, { account }: AdminOptions): void {
  app.get('/sandbox/ledger', async (request) => readLedger(account, orderQuery.parse(request.query).orderId));
  app.get('/sandbox/sessions', async (request) => ({
    sessions: listSessions(account, orderQuery.parse(request.query).orderId),
  }));
  app.post('/sandbox/sessions/:id/pay', async (request) => {
    const body = payBody.parse(request.body ?? {});
    const id = idOf(request);
    let attempt = sessionPayments.paySession(account, id, methodOf(body, new Date(account.now())));
    if (attempt.outcome === 'requires_action' && body.threeDSecure !== undefined) {
      attempt = sessionPayments.authenticateSession(account, id, body.threeDSecure === 'pass');
    }
    account.save();
    return { ...attempt, paymentIntentId: sessions.sessionRecord(account, id).session.payment_intent };
  });
  app.post('/sandbox/sessions/:id/authenticate', async (request) => {
    const { result } = z.strictObject({ result: z.enum(['pass', 'fail']) }).parse(request.body);
    return saved(account, sessionPayments.authenticateSession(account, idOf(request), result === 'pass'));
  });
  app.post('/sandbox/sessions/:id/settle', async (request) => {
    const { result } = z.strictObject({ result: z.enum(['succeeded', 'failed']) }).parse(request.body);
    return saved(account, sessionPayments.settleSession(account, idOf(request), result));
  });
  // As when its 24 hours are over.
  app.post('/sandbox/sessions/:id/time-out', async (request) =>
    saved(account, { status: sessions.expireSession(account, idOf(request), NO_REQUEST).status }),
  );
  app.post('/sandbox/refunds/:id/fail', async (request) => {
    const { reason } = z.strictObject({ reason: z.string().default('lost_or_stolen_card') }).parse(request.body ?? {});
    return saved(account, { status: failRefund(account, idOf(request), reason).status });
  });
  app.post('/sandbox/disputes', async (request) => {
    const body = z.strictObject({ charge: z.string(), reason: z.string().default('fraudulent') }).parse(request.body);
    return saved(account, { id: openDispute(account, body.charge, body.reason).id });
  });
  app.post('/sandbox/disputes/:id/close', async (request) => {
    const { status } = z.strictObject({ status: z.enum(['won', 'lost']) }).parse(request.body);
    return saved(account, { status: closeDispute(account, idOf(request), status).status });
  });
}

function saved<T extends object>(account: Account, result: T): T {
  account.save();
  return result;
}

function methodOf(body: z.output<typeof payBody>, today: Date): Method {
  if (body.method === 'bank_debit') return { type: 'us_bank_account', last4: '6789' };
  const number = body.card.replaceAll(' ', '');
  const cvc = /^3[47]/.test(number) ? '1234' : '123';
  const expiry = `12 / ${(today.getFullYear() + 3) % 100}`;
  const read = readCardForm({ number, expiry, cvc, name: 'Test Customer' }, today);
  if ('card' in read) return { type: 'card', card: read.card };
  throw new StripeApiError(400, { type: 'invalid_request_error', message: read.errors.number ?? 'Wrong card.' });
}

function registerWebhooks(app: FastifyInstance, { account, webhooks, rules }: AdminOptions): void {
  app.get('/sandbox/webhooks', async () => ({
    url: webhooks.endpoint.url ?? null,
    deliveries: account.store.all('deliveries'),
    rules: rules.list(),
  }));
  app.post('/sandbox/webhooks', async (request) => {
    const { url, secret } = endpointBody.parse(request.body);
    webhooks.setEndpoint({ ...(url === undefined ? {} : { url }), ...(secret === undefined ? {} : { secret }) });
    return { url: webhooks.endpoint.url ?? null };
  });
  app.post('/sandbox/webhooks/rules', async (request) => ({ id: rules.add(webhookRule.parse(request.body)) }));
  app.delete('/sandbox/webhooks/rules', async () => {
    rules.clear();
    return {};
  });
  app.post('/sandbox/webhooks/release', async (request) => {
    const { eventIds } = z.strictObject({ eventIds: z.array(z.string()).optional() }).parse(request.body ?? {});
    return saved(account, { released: webhooks.release(eventIds) });
  });
  app.get('/sandbox/events', async (request) => {
    const { type } = z.strictObject({ type: z.string().optional() }).parse(request.query);
    return { events: account.store.all('events').filter((event) => type === undefined || event.type === type) };
  });
  // An event that Stripe never had: delivered once, not again, and not on record.
  app.post('/sandbox/events', async (request) => {
    const { type, object, copies, ...more } = sendEventBody.parse(request.body);
    const given = Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined));
    const event = buildEvent(account, type, object, NO_REQUEST, given);
    return { id: event.id, results: await webhooks.redeliver(event, copies) };
  });
  app.post('/sandbox/events/:id/redeliver', async (request) => {
    const { copies } = z.strictObject({ copies: z.int().min(1).max(100).default(1) }).parse(request.body ?? {});
    const id = idOf(request);
    const event = account.store.get('events', id);
    if (event === undefined) throw resourceMissing('event', id);
    return { id, results: await webhooks.redeliver(event, copies) };
  });
}

function registerFaults(app: FastifyInstance, { faults, requests }: AdminOptions): void {
  app.get('/sandbox/faults', async () => ({ faults: faults.list() }));
  app.post('/sandbox/faults', async (request) => ({ id: faults.add(fault.parse(request.body)) }));
  app.post('/sandbox/faults/release', async (request) => {
    const { id } = z.strictObject({ id: z.string().optional() }).parse(request.body ?? {});
    return { released: faults.release(id) };
  });
  app.delete('/sandbox/faults', async () => {
    faults.clear();
    return {};
  });
  app.get('/sandbox/requests', async () => ({ requests: requests() }));
}

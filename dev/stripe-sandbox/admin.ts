import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { RequestLogEntry } from './api.ts';
import { idOf, registerDashboard, registerPayments, saved } from './admin-money.ts';
import { resourceMissing, StripeApiError } from './errors.ts';
import { buildEvent, NO_REQUEST, type Account } from './events.ts';
import { fault, type Faults } from './faults.ts';
import { webhookRule, type WebhookRules } from './webhook-rules.ts';
import type { Webhooks } from './webhooks.ts';

export type AdminOptions = {
  account: Account;
  faults: Faults;
  webhooks: Webhooks;
  rules: WebhookRules;
  requests: () => readonly RequestLogEntry[];
};

/** Enough for a body that no endpoint should take. */
const RAW_BODY_LIMIT_BYTES = 32 * 1024 * 1024;

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
const endpointBody = z.strictObject({ url: z.url().optional(), secret: z.string().startsWith('whsec_').optional() });

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
  registerPayments(app, options.account);
  registerDashboard(app, options.account);
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
    const strings = z.array(z.string()).optional();
    const only = z.strictObject({ eventIds: strings, types: strings }).parse(request.body ?? {});
    return saved(account, { released: webhooks.release(only) });
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
  // Any body, signed: what Stripe sends besides events of this account, or nothing that Stripe would ever send.
  app.post('/sandbox/webhooks/raw', { bodyLimit: RAW_BODY_LIMIT_BYTES }, async (request) => {
    const { body } = z.strictObject({ body: z.string() }).parse(request.body);
    return { result: await webhooks.send(body) };
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

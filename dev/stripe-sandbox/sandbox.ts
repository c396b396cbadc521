import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { registerAdmin } from './admin.ts';
import { registerV1, sendError, unknownUrl, type RequestLogEntry } from './api.ts';
import { passTime } from './endpoints.ts';
import { StripeApiError } from './errors.ts';
import type { Account } from './events.ts';
import { Faults } from './faults.ts';
import { Idempotency } from './idempotency.ts';
import { registerPages } from './pages/routes.ts';
import { Store } from './store.ts';
import { WebhookRules } from './webhook-rules.ts';
import { Webhooks } from './webhooks.ts';

export type StripeSandboxOptions = {
  apiKey: string;
  webhookSecret: string;
  /** Where events go; without it they wait until the admin face sets one. */
  webhookUrl?: string | undefined;
  /** Where customers reach the hosted pages; the address it listens on unless told. */
  publicUrl?: string | undefined;
  /** Where the state is kept; without it, it ends with the sandbox. */
  stateFile?: string | undefined;
  logger?: FastifyBaseLogger | undefined;
};

export type StripeSandbox = FastifyInstance;

/** How often what time ends is looked for: sessions to expire, bank debits to settle. */
const TICK_MS = 1000;
/** How many requests the account's log remembers. */
const MAX_LOGGED_REQUESTS = 5000;

/**
 * A local Stripe: its API, its hosted pages, its webhooks, and an admin face for tests.
 *
 * @returns a fastify app: listen to it, or inject requests. `close` ends all redelivery and saves the state.
 * @throws when the state file is damaged or can't be written
 */
export function createStripeSandbox(options: StripeSandboxOptions): StripeSandbox {
  const app: FastifyInstance = fastify({
    ...(options.logger === undefined ? {} : { loggerInstance: options.logger }),
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 200 },
  });
  const store = new Store(options.stateFile);
  const now = () => Date.now();
  const rules = new WebhookRules();
  const endpoint = { url: options.webhookUrl, secret: options.webhookSecret };
  const webhooks = new Webhooks({ store, rules, endpoint, now, logger: app.log });
  const account: Account = {
    store,
    webhooks,
    now,
    publicUrl: () => options.publicUrl ?? listeningUrl(app),
    save: () => {
      store.commit();
      webhooks.start();
    },
  };
  const faults = new Faults();
  const closing = new AbortController();
  const requests: RequestLogEntry[] = [];
  const log = (entry: RequestLogEntry) => {
    if (requests.push(entry) > MAX_LOGGED_REQUESTS) requests.shift();
  };
  const idempotency = new Idempotency(store, now);

  app.register(async (v1) => {
    registerV1(v1, { account, apiKey: options.apiKey, faults, idempotency, log, closing: closing.signal });
  });
  app.register(async (pages) => registerPages(pages, account));
  app.register(async (admin) => registerAdmin(admin, { account, faults, webhooks, rules, requests: () => requests }));
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async () => ({ status: 'ok' }));
  app.setNotFoundHandler((request, reply) => sendError(reply, unknownUrl(request.method, request.url)));
  app.setErrorHandler((error, request, reply) => {
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    if (status >= 500) request.log.error({ err: error }, 'the sandbox failed at a request');
    const message = error instanceof Error ? error.message : String(error);
    return sendError(reply, new StripeApiError(status, { type: 'invalid_request_error', message }));
  });

  const tick = setInterval(() => {
    try {
      passTime(account);
      account.save();
    } catch (error) {
      app.log.error({ err: error }, 'the sandbox could not save its state');
    }
  }, TICK_MS);
  app.addHook('onReady', async () => webhooks.start());
  app.addHook('preClose', async () => {
    closing.abort();
    faults.clear();
  });
  app.addHook('onClose', async () => {
    clearInterval(tick);
    await webhooks.close();
    store.close();
  });
  return app;
}

function listeningUrl(app: FastifyInstance): string {
  const address = app.server.address();
  if (address === null || typeof address === 'string') return 'http://127.0.0.1:8302';
  const any = address.address === '0.0.0.0' || address.address === '::';
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${any ? '127.0.0.1' : host}:${address.port}`;
}

import { Stripe } from 'stripe';
import { stripeEventTypes } from '../../domain/stripe-event.ts';
import type { Context } from '../context.ts';
import { reasonOf } from '../errors.ts';
import { attempt, type Finding, ok, problem, warning } from './finding.ts';

const STRIPE = 'Stripe';
const WEBHOOK = 'Webhook';
const UNDELIVERED_SINCE_MS = 3 * 24 * 3_600_000;
/** Younger events may still be on their way. */
const ON_ITS_WAY_MS = 60_000;
const TIMEOUT_MS = 5000;
/** Stripe's largest page. */
const PAGE = 100;

/** Checks that Stripe accepts the key, and that its events arrive. */
export async function checkStripe(context: Context): Promise<readonly Finding[]> {
  const { stripe, settings } = context;
  const { sandboxUrl, livemode } = settings.config.stripe;
  if (settings.stripeKeyIsElsewhere) {
    return [
      warning(
        STRIPE,
        '`npm start` runs with a STRIPE_KEY that is not set here, so Stripe was not checked',
        'Set STRIPE_KEY and STRIPE_ENDPOINT_SECRET here too, or put them into .env.',
      ),
    ];
  }
  const fix =
    sandboxUrl === undefined
      ? 'Check STRIPE_KEY at https://dashboard.stripe.com/apikeys, and that this machine can reach api.stripe.com.'
      : `The local sandbox is expected at ${sandboxUrl}. Start it (\`npm start\` does), or set STRIPE_KEY.`;
  return attempt(STRIPE, fix, async () => {
    await stripe.checkout.sessions.list({ limit: 1 });
    const mode = livemode ? 'live: it moves real money' : 'test mode';
    return [
      ok(STRIPE, sandboxUrl === undefined ? `accepts the key (${mode})` : `the local sandbox answers at ${sandboxUrl}`),
      ...(await checkUndelivered(stripe)),
      ...(sandboxUrl === undefined ? await checkEndpoints(stripe) : []),
    ];
  });
}

/** Finds events of orders that Stripe could not deliver: the receiver is down, or refuses them. */
async function checkUndelivered(stripe: Stripe): Promise<readonly Finding[]> {
  const now = Date.now();
  const events = await unlessForbidden(
    stripe.events.list({
      delivery_success: false,
      types: [...stripeEventTypes],
      created: { gte: seconds(now - UNDELIVERED_SINCE_MS), lte: seconds(now - ON_ITS_WAY_MS) },
      limit: PAGE,
    }),
  );
  if (events === undefined || events.data.length === 0) return [];
  const count = events.has_more ? `more than ${PAGE}` : String(events.data.length);
  return [
    problem(
      WEBHOOK,
      `Stripe could not deliver ${count} events of the last three days`,
      "Check that the receiver can be reached from Stripe, and that STRIPE_ENDPOINT_SECRET is the endpoint's. Stripe retries for three days.",
    ),
  ];
}

/** Checks that a webhook endpoint of the real Stripe's account sends the events that orders act on. */
async function checkEndpoints(stripe: Stripe): Promise<readonly Finding[]> {
  const endpoints = await unlessForbidden(stripe.webhookEndpoints.list({ limit: PAGE }));
  if (endpoints === undefined) return [];
  const enabled = endpoints.data.filter(({ status }) => status === 'enabled');
  if (enabled.length === 0) {
    return [
      warning(
        WEBHOOK,
        'No webhook endpoint is registered at Stripe',
        'With `stripe listen --latest --all-snapshot --forward-to localhost:8301/webhook` that is expected; otherwise register one.',
      ),
    ];
  }
  const missing = missingEvents(enabled.map(({ enabled_events: events }) => events));
  return [
    ...(missing.length === 0
      ? []
      : [problem(WEBHOOK, `No endpoint at Stripe sends ${missing.join(', ')}`, "Add them to the endpoint's events.")]),
    ...checkVersions(
      enabled,
      enabled.some(({ api_version: version }) => version === null) ? await accountVersion(stripe) : undefined,
    ),
  ];
}

/**
 * Returns the account's default API version, which an endpoint without a version of its own uses
 * (https://docs.stripe.com/webhooks/versioning). Stripe shows it only in its stored events, which are rendered in it.
 */
async function accountVersion(stripe: Stripe): Promise<string | undefined> {
  const events = await unlessForbidden(stripe.events.list({ limit: 1 }));
  return events?.data[0]?.api_version ?? undefined;
}

/**
 * Finds endpoints that send events in an API version that this code is not written for: each of their events costs a
 * request to Stripe, since its object is read again.
 *
 * @param ofAccount the account's default version, if it is known
 */
export function checkVersions(
  endpoints: readonly Pick<Stripe.WebhookEndpoint, 'url' | 'api_version' | 'enabled_events'>[],
  ofAccount: string | undefined,
): Finding[] {
  return endpoints
    .filter(({ enabled_events: events }) => missingEvents([events]).length < stripeEventTypes.length)
    .flatMap(({ url, api_version: own }) => {
      if ((own ?? ofAccount ?? Stripe.API_VERSION) === Stripe.API_VERSION) return [];
      const version = own === null ? `the account's default, ${ofAccount}` : own;
      return [
        warning(
          WEBHOOK,
          `The endpoint ${url} sends events of another API version (${version}) than this code is written for (${Stripe.API_VERSION})`,
          `Make an endpoint with API version ${Stripe.API_VERSION} and the same events, set STRIPE_ENDPOINT_SECRET to its secret, and delete this one. Until then each event's object is read again from Stripe.`,
        ),
      ];
    });
}

/** Returns undefined if a restricted key may not read this: the doctor can do without. */
async function unlessForbidden<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Stripe.errors.StripePermissionError) return undefined;
    throw error;
  }
}

/** Returns the events that orders act on and that the most complete of the endpoints does not send. */
export function missingEvents(endpoints: readonly (readonly string[])[]): string[] {
  const lists = endpoints.map((events) =>
    events.includes('*') ? [] : stripeEventTypes.filter((type) => !events.includes(type)),
  );
  return lists.toSorted((left, right) => left.length - right.length)[0] ?? [];
}

/**
 * Checks that the receiver runs with the secret of these settings: it accepts an event that means nothing to orders.
 */
export async function checkWebhook({ settings }: Context): Promise<readonly Finding[]> {
  const { webhookUrl } = settings.config.stripeSandbox;
  const [secret = ''] = settings.config.stripe.endpointSecrets;
  const payload = JSON.stringify({
    id: 'evt_doctor',
    object: 'event',
    type: 'order_backend.doctor',
    livemode: settings.config.stripe.livemode,
    created: seconds(Date.now()),
    data: { object: {} },
  });
  const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret });
  const away = `The receiver is expected at ${webhookUrl}. Start api/webhook.main.ts, or run the doctor on a machine that can reach it.`;
  if (settings.stripeKeyIsElsewhere) return [];
  return attempt(WEBHOOK, away, async () => {
    const response = await fetch(webhookUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'stripe-signature': signature },
      body: payload,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.ok) return [ok(WEBHOOK, `${webhookUrl} accepts events that are signed with STRIPE_ENDPOINT_SECRET`)];
    if (response.status !== 400) throw new Error(`${webhookUrl} answers ${response.status}`);
    return [
      problem(
        WEBHOOK,
        `${webhookUrl} refuses events that are signed with STRIPE_ENDPOINT_SECRET: it runs with another secret`,
        'Start the receiver with the same STRIPE_ENDPOINT_SECRET as here. `stripe listen --print-secret` prints the secret of `stripe listen`.',
      ),
    ];
  });
}

/** Checks that the orders API is ready, and that Zipkin answers if traces are sent to it. */
export async function checkServices({ settings: { config } }: Context): Promise<readonly Finding[]> {
  const api = `${config.publicUrl}/readyz`;
  const zipkin = config.telemetry.zipkinUrl;
  const findings = await Promise.all([
    attempt('Orders API', `Start api/orders-api.main.ts, or set PUBLIC_URL to its address.`, async () => {
      await answers(api);
      return [ok('Orders API', `is ready at ${config.publicUrl}`)];
    }),
    zipkin === undefined
      ? [ok('Zipkin', 'is not used (ZIPKIN_URL is not set)')]
      : answers(`${zipkin}/health`).then(
          () => [ok('Zipkin', `answers at ${zipkin}`)],
          (error: unknown) => [
            warning(
              'Zipkin',
              reasonOf(error),
              `Orders go on without it, but their traces are lost. Start it at ${zipkin}.`,
            ),
          ],
        ),
  ]);
  return findings.flat();
}

async function answers(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`${url} answers ${response.status} ${(await response.text()).slice(0, 200)}`);
  await response.body?.cancel();
}

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

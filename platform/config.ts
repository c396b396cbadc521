import process from 'node:process';
import { type ClientConnectConfig, loadClientConnectConfig } from '@temporalio/envconfig';
import { type Doubt, doubts } from '../domain/charge.ts';
import { ConfigError } from './config-error.ts';
import { type Environment, environmentSchema } from './environment.ts';
import { limitsConfig } from './limits-config.ts';
import { orderLinkConfig, signInConfig } from './sign-in-config.ts';

export { ConfigError };

/** The sandbox's fixed credentials. They open nothing but a local Stripe that holds no money. */
const SANDBOX_KEY = 'sk_test_sandbox_order_backend';
const SANDBOX_ENDPOINT_SECRET = 'whsec_sandbox_order_backend';

export type Config = ReturnType<typeof toConfig>;

/** What the processes read: settings grouped by what they belong to, durations in milliseconds. */
function toConfig(env: Environment, stripe: StripeConfig, temporal: ClientConnectConfig) {
  return {
    production: env.NODE_ENV === 'production',
    logLevel: env.LOG_LEVEL,
    host: env.HOST,
    publicUrl: env.PUBLIC_URL,
    shopPage: hasShopPage(env),
    trustedProxies: env.TRUSTED_PROXIES?.split(',') ?? [],
    api: { port: env.API_PORT, requestsPerMinute: env.API_REQUESTS_PER_MINUTE },
    webhook: { port: env.WEBHOOK_PORT, requestsPerMinute: env.WEBHOOK_REQUESTS_PER_MINUTE },
    operations: { host: env.OPERATIONS_HOST, port: env.OPERATIONS_PORT },
    database: { url: env.DATABASE_URL, poolSize: env.DATABASE_POOL_SIZE },
    temporal: {
      /** For `Connection.connect` and `NativeConnection.connect`: address, API key, TLS and gRPC metadata. */
      connection: {
        ...temporal.connectionOptions,
        address: temporal.connectionOptions.address ?? env.TEMPORAL_ADDRESS,
      },
      namespace: temporal.namespace ?? env.TEMPORAL_NAMESPACE,
      taskQueuePrefix: env.TASK_QUEUE_PREFIX,
    },
    stripe,
    stripeSandbox: {
      port: env.STRIPE_SANDBOX_PORT,
      url: env.STRIPE_SANDBOX_URL,
      stateFile: env.STRIPE_SANDBOX_STATE_FILE,
      webhookUrl: env.STRIPE_SANDBOX_WEBHOOK_URL,
    },
    links: { temporalUiUrl: env.TEMPORAL_UI_URL, zipkinUiUrl: env.ZIPKIN_UI_URL },
    paymentWindowMs: env.PAYMENT_WINDOW_SECONDS * 1000,
    createTimeoutMs: env.CREATE_TIMEOUT_SECONDS * 1000,
    shutdownGraceMs: env.SHUTDOWN_GRACE_SECONDS * 1000,
    fulfillment: fulfillmentConfig(env),
    fulfillmentRetryMs: env.FULFILLMENT_RETRY_SECONDS * 1000,
    holdShipmentFor: holdShipmentFor(env),
    // A pause of no time at all would ask Stripe in a tight loop.
    stripeRetryMaxMs: Math.max(1, Math.round(env.STRIPE_RETRY_MAX_SECONDS * 1000)),
    reconcileEveryMs: env.RECONCILE_EVERY_SECONDS * 1000,
    operatorToken: env.OPERATOR_TOKEN,
    signIn: signInConfig(env),
    signInAtGateway: env.AUTH_BY_GATEWAY,
    orderLinks: orderLinkConfig(env),
    orderIdSecret: env.ORDER_ID_SECRET,
    limits: limitsConfig(env),
    telemetry: { zipkinUrl: env.ZIPKIN_URL, otlpTracesUrl: otlpTracesUrl(env) },
  };
}

/**
 * Whether there is a shop page.
 *
 * @throws ConfigError if it would be a way around sign-in
 */
function hasShopPage(env: Environment): boolean {
  const isSignInOn = env.AUTH_JWKS_URL !== undefined || env.AUTH_SHARED_SECRET !== undefined;
  if (env.SHOP_PAGE === true && isSignInOn) {
    throw new ConfigError(
      'SHOP_PAGE: true, but sign-in is on. The shop page has no accounts, so anybody could order there without signing in. Leave it out, or turn sign-in off.',
    );
  }
  return env.SHOP_PAGE ?? (env.NODE_ENV !== 'production' && !isSignInOn);
}

/** The doubts about a payment that hold its shipment back; none if the setting says `nothing`. */
function holdShipmentFor(env: Environment): readonly Doubt[] {
  const named = env.HOLD_SHIPMENT_FOR.split(',');
  return doubts.filter((doubt) => named.includes(doubt));
}

/** The shop's own fulfillment service, or undefined for the built-in warehouse. */
function fulfillmentConfig(env: Environment): { readonly url: string; readonly secret: string } | undefined {
  if (env.FULFILLMENT_URL === undefined) return undefined;
  if (env.FULFILLMENT_SECRET === undefined) {
    throw new ConfigError(
      'FULFILLMENT_SECRET: not set, but FULFILLMENT_URL is. Set a secret of 16 characters or more that the receiver knows too.',
    );
  }
  return { url: env.FULFILLMENT_URL, secret: env.FULFILLMENT_SECRET };
}

export type StripeConfig = {
  readonly apiKey: string;
  /** One secret, or two while it is being rotated; a webhook signed with either is taken. */
  readonly endpointSecrets: readonly string[];
  /** Whether the key moves real money; an event of the other mode is not ours. */
  readonly livemode: boolean;
  /** Where the sandbox is, or undefined for the real Stripe. */
  readonly sandboxUrl: string | undefined;
};

/**
 * Reads the settings once, at the start of a process.
 *
 * @param source the environment; empty values count as not set, as they do in compose files
 * @throws ConfigError naming each variable that is wrong and the fix
 */
export function loadConfig(source: Readonly<Record<string, string | undefined>> = process.env): Config {
  const { env, isGiven } = parseEnvironment(source);
  return toConfig(env, stripeConfig(env, isGiven('STRIPE_SANDBOX_URL')), temporalConfig(source));
}

/**
 * Returns the settings as they are in the environment, and which of them are given there.
 *
 * @param source the environment; empty values count as not set, as they do in compose files
 * @throws ConfigError naming each variable that is wrong and the fix
 */
export function parseEnvironment(source: Readonly<Record<string, string | undefined>>): {
  env: Environment;
  isGiven: (name: keyof Environment) => boolean;
} {
  const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new ConfigError(`Wrong settings; correct them in the environment or in .env:\n  ${problems.join('\n  ')}`);
  }
  return { env: parsed.data, isGiven: (name) => name in given };
}

/** The environment of this process, for the stack that hands it on to the processes that it starts. */
export function processEnvironment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

function stripeConfig(env: Environment, sandboxNamed: boolean): StripeConfig {
  if (env.STRIPE_KEY === undefined && env.STRIPE_ENDPOINT_SECRET === undefined) {
    if (env.NODE_ENV === 'production' && !sandboxNamed) {
      throw new ConfigError(
        'STRIPE_KEY: not set. In production set STRIPE_KEY and STRIPE_ENDPOINT_SECRET, or STRIPE_SANDBOX_URL to run on the sandbox on purpose.',
      );
    }
    return {
      apiKey: SANDBOX_KEY,
      endpointSecrets: [SANDBOX_ENDPOINT_SECRET],
      livemode: false,
      sandboxUrl: env.STRIPE_SANDBOX_URL,
    };
  }
  if (env.STRIPE_KEY === undefined) {
    throw new ConfigError(
      'STRIPE_KEY: not set, but STRIPE_ENDPOINT_SECRET is. Set both for the real Stripe, or neither for the sandbox.',
    );
  }
  if (env.STRIPE_ENDPOINT_SECRET === undefined) {
    throw new ConfigError(
      'STRIPE_ENDPOINT_SECRET: not set, but STRIPE_KEY is. Set both for the real Stripe, or neither for the sandbox. `stripe listen --print-secret` prints one.',
    );
  }
  const livemode = env.STRIPE_KEY.includes('_live_');
  if (livemode && !env.STRIPE_ALLOW_LIVE) {
    throw new ConfigError(
      'STRIPE_KEY: is a live key, which moves real money. Set STRIPE_ALLOW_LIVE=true if that is what you want, or use a test key.',
    );
  }
  return {
    apiKey: env.STRIPE_KEY,
    endpointSecrets: env.STRIPE_ENDPOINT_SECRET.split(','),
    livemode,
    sandboxUrl: undefined,
  };
}

/**
 * Temporal's own settings, read by Temporal's own library, so that they mean here what they mean to its command line.
 */
function temporalConfig(source: Readonly<Record<string, string | undefined>>): ClientConnectConfig {
  const variables = Object.fromEntries(
    Object.entries(source).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value]])),
  );
  // Unasked, the library would read the file of the person's Temporal command line, and orders of a first try could
  // land in a namespace of somebody's Temporal Cloud.
  const disableFile = variables['TEMPORAL_PROFILE'] === undefined && variables['TEMPORAL_CONFIG_FILE'] === undefined;
  try {
    return loadClientConnectConfig({ overrideEnvVars: variables, disableFile });
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`TEMPORAL_…: Temporal's settings can't be read: ${problem}`, { cause: error });
  }
}

function otlpTracesUrl(env: Environment): string | undefined {
  if (env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT !== undefined) {
    return env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  }
  return env.OTEL_EXPORTER_OTLP_ENDPOINT && `${env.OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces`;
}

import { z } from 'zod';
import { doubts } from '../domain/charge.ts';

/** Stripe ends a Checkout Session 24 hours after it was made; an hour is left for the last race about the money. */
const MAX_PAYMENT_WINDOW_SECONDS = 23 * 3600;

/** Banks decide within weeks; a shop that hears of it later than this has most likely mistyped the setting. */
const MAX_STRIPE_RETRY_SECONDS = 7 * 24 * 3600;

const port = z.coerce.number().int().min(0).max(65_535);
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
/** HMAC with SHA-256 is as strong as its secret, up to 32 bytes. */
const secretText = '[^\\s,]{32,}';
const rotatedSecret = z
  .string()
  .regex(
    new RegExp(`^${secretText}(,${secretText})?$`),
    'must have 32 characters or more, without spaces; two of them with a comma between while it is being rotated',
  );
const count = z.coerce.number().int().min(1);
const httpUrl = z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/+$/, ''));

/**
 * Every setting, as it is in the environment. docs/configuration.md is made from it
 * (`npm run docs:configuration`), so each setting says what it is for, in which unit, and what happens without it.
 */
export const environmentSchema = z.object({
  NODE_ENV: z
    .enum(['development', 'test', 'production'])
    .default('development')
    .describe('`production` writes JSON logs and refuses defaults that are unsafe there.'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('The lowest level of log lines that are written.'),

  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/ })
    .default('postgres://orders:orders@127.0.0.1:5432/orders')
    .describe('PostgreSQL. `npm start` brings its own if this is not set.'),
  DATABASE_POOL_SIZE: z.coerce
    .number()
    .int()
    .min(1)
    .max(200)
    .default(10)
    .describe('The most connections that one process opens.'),

  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^[^\s:/]+:\d+$/, 'must be host:port')
    .default('127.0.0.1:7233')
    .describe('Temporal, as host:port. `npm start` brings its own if this is not set.'),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default').describe("Temporal's namespace."),
  TEMPORAL_API_KEY: z.string().min(1).optional().describe('An API key of Temporal Cloud; it switches TLS on.'),
  TEMPORAL_TLS: flag
    .optional()
    .describe("`true` connects with TLS. Temporal's own `TEMPORAL_TLS_…` variables name certificates and keys."),
  TEMPORAL_PROFILE: z
    .string()
    .min(1)
    .optional()
    .describe("The profile of Temporal's configuration file to connect with; the variables above go first."),
  TEMPORAL_CONFIG_FILE: z
    .string()
    .min(1)
    .optional()
    .describe("Temporal's configuration file. It is read only if this or `TEMPORAL_PROFILE` is set."),
  TASK_QUEUE_PREFIX: z
    .string()
    .max(64)
    .regex(/^[A-Za-z0-9-]*$/, 'must be letters, digits and dashes')
    .default('')
    .describe('A prefix for the names of all task queues, so that several installations can share a namespace.'),

  STRIPE_KEY: z
    .string()
    .regex(
      /^(sk|rk)_(test|live)_\S+$/,
      'must be a secret or restricted key: sk_test_…, rk_test_…, sk_live_… or rk_live_…',
    )
    .optional()
    .describe("Stripe's API key. Without it the local Stripe sandbox is used."),
  STRIPE_ENDPOINT_SECRET: z
    .string()
    .regex(/^whsec_[^\s,]+(,whsec_[^\s,]+)?$/, 'must be whsec_…, or two of them with a comma between')
    .optional()
    .describe("The webhook's signing secret; two of them, with a comma between, while it is being rotated."),
  STRIPE_ALLOW_LIVE: flag
    .default(false)
    .describe('`true` allows a live key. Without it a live key is refused, so that nobody moves money by mistake.'),
  STRIPE_SANDBOX_URL: httpUrl
    .default('http://127.0.0.1:8302')
    .describe('The address of the Stripe sandbox. In production the sandbox is used only if this is set.'),

  SHOP_PAGE: flag
    .optional()
    .describe(
      'Whether there is a shop page at `/`, on which anybody can order without an account. Without it there is one in development while sign-in is off, and none in production.',
    ),
  PUBLIC_URL: httpUrl
    .default('http://127.0.0.1:8101')
    .describe('The public address of the orders API and its pages; redirects and links begin with it.'),
  HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('The address that API, webhook receiver and sandbox listen on.'),
  API_PORT: port.default(8101).describe('Port of the orders API and its pages.'),
  WEBHOOK_PORT: port.default(8301).describe("Port of the receiver of Stripe's webhook."),
  API_REQUESTS_PER_MINUTE: z.coerce
    .number()
    .int()
    .min(1)
    .default(6000)
    .describe('Requests that one client address may send to the orders API in a minute; more are answered 429.'),
  WEBHOOK_REQUESTS_PER_MINUTE: z.coerce
    .number()
    .int()
    .min(1)
    .default(12_000)
    .describe('The same for the webhook receiver; Stripe sends an event again that was answered 429.'),
  TRUSTED_PROXIES: z
    .string()
    .regex(/^[\da-fA-F.:/]+(,[\da-fA-F.:/]+)*$/, 'must be addresses or networks with commas between')
    .optional()
    .describe(
      'Addresses or networks (`10.0.0.0/8`) of proxies in front of the API, with commas between: their `X-Forwarded-For` is trusted.',
    ),
  STRIPE_SANDBOX_PORT: port.default(8302).describe('Port of the Stripe sandbox.'),
  STRIPE_SANDBOX_STATE_FILE: z
    .string()
    .min(1)
    .optional()
    .describe(
      'The file in which the sandbox keeps its state. Without it the state is in memory and ends with the process.',
    ),
  STRIPE_SANDBOX_WEBHOOK_URL: httpUrl
    .default('http://127.0.0.1:8301/webhook')
    .describe('The address that the sandbox sends its events to.'),
  OPERATIONS_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('The address that health checks and metrics listen on; keep it off the public network.'),
  OPERATIONS_PORT: port
    .optional()
    .describe(
      'Port of health checks and metrics. Without it: API 8111, webhook receiver 8311, all workers 8400, orders 8401, stock 8402, payment 8403, fulfillment 8404.',
    ),

  PAYMENT_WINDOW_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_PAYMENT_WINDOW_SECONDS)
    .default(30 * 60)
    .describe('How long a customer may take to pay, in seconds; 23 hours at most.'),
  CREATE_TIMEOUT_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .max(120)
    .default(10)
    .describe('How long a create waits for its order, in seconds; then it answers 503 and the order id.'),
  SHUTDOWN_GRACE_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .max(600)
    .default(10)
    .describe('How long running requests and activities may take to finish when a process is stopped, in seconds.'),

  FULFILLMENT_URL: httpUrl
    .optional()
    .describe(
      "The shop's own fulfillment service: paid orders are POSTed there. Without it the built-in warehouse ships.",
    ),
  FULFILLMENT_SECRET: z
    .string()
    .min(16)
    .optional()
    .describe('Signs the requests to `FULFILLMENT_URL`; 16 characters or more, shared with the receiver.'),
  FULFILLMENT_RETRY_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .max(3600)
    .default(300)
    .describe(
      'How long a fulfillment service that is down is tried every few seconds; after that it is tried once in each such period. In seconds.',
    ),
  HOLD_SHIPMENT_FOR: z
    .string()
    .regex(
      new RegExp(`^(nothing|(${doubts.join('|')})(,(${doubts.join('|')}))*)$`),
      `must be \`nothing\`, or some of ${doubts.join(', ')} with commas between`,
    )
    .default('disputed,in_review,fraud_warning')
    .describe(
      "Which doubts hold a paid order's shipment until they are settled or an operator releases the order: `disputed` (the customer's bank wants the money back), `in_review` (Stripe asks for a manual review), `fraud_warning` (the card's bank suspects fraud), `part_refunded` (some of the money went back at Stripe); with commas between. `nothing` holds no shipment. Each is an alarm and a note on the timeline in any case.",
    ),
  STRIPE_RETRY_MAX_SECONDS: z.coerce
    .number()
    .gt(0)
    .max(MAX_STRIPE_RETRY_SECONDS)
    .default(6 * 3600)
    .describe(
      'The longest pause before Stripe is asked again about a refund that it refuses or a payment that is in doubt, in seconds; fractions are allowed. Pauses start short and grow to this.',
    ),
  RECONCILE_EVERY_SECONDS: z.coerce
    .number()
    .int()
    .min(60)
    .max(24 * 3600)
    .default(3600)
    .describe(
      "How often the rows are compared with Stripe's charges, refunds and disputes, in seconds. It is read when the first worker makes the schedule; after that, change the schedule in Temporal.",
    ),
  OPERATOR_TOKEN: z
    .string()
    .min(16)
    .optional()
    .describe(
      'A bearer token for the operator routes and the desk at `/operator`, 16 characters or more. Without it and without sign-in there are no such routes.',
    ),

  AUTH_JWKS_URL: httpUrl
    .optional()
    .describe(
      "Where your identity provider publishes its keys (`https://…/.well-known/jwks.json`). It switches sign-in on: customers and operators then need the provider's tokens.",
    ),
  AUTH_SHARED_SECRET: rotatedSecret
    .optional()
    .describe(
      "Switches sign-in on without a provider: your shop's server signs the tokens with this secret of 32 characters or more; two of them, with a comma between, while it is being rotated.",
    ),
  AUTH_ISSUER: z
    .string()
    .min(1)
    .optional()
    .describe("The `iss` that every token must have, letter for letter: your provider's issuer."),
  AUTH_AUDIENCE: z
    .string()
    .min(1)
    .optional()
    .describe('The `aud` that every token must have: the name under which your provider knows this API.'),
  AUTH_ALGORITHMS: z
    .string()
    .regex(
      /^((RS|PS|ES|HS)(256|384|512)|EdDSA)(,((RS|PS|ES|HS)(256|384|512)|EdDSA))*$/,
      'must be JWT algorithms such as RS256, with commas between',
    )
    .optional()
    .describe(
      'The signature algorithms that tokens may have, with commas between. Without it: `RS256,PS256,ES256,EdDSA` with `AUTH_JWKS_URL`, `HS256` with `AUTH_SHARED_SECRET`.',
    ),
  AUTH_CUSTOMER_CLAIM: z
    .string()
    .min(1)
    .default('sub')
    .describe("The claim of a customer's token that holds the `customerID`."),
  AUTH_OPERATOR_SCOPE: z
    .string()
    .regex(/^\S+$/, 'must be one word')
    .default('orders:operate')
    .describe('The scope that a token needs on the operator routes, in its claim `scope`, `scp` or `permissions`.'),
  AUTH_OPERATOR_CLAIM: z
    .string()
    .min(1)
    .default('sub')
    .describe(
      "The claim that names an operator on orders' timelines. It is kept for good, so take a user name rather than an e-mail address.",
    ),
  AUTH_BY_GATEWAY: flag
    .default(false)
    .describe(
      '`true` says that a gateway before the orders API signs customers in. Without it and without sign-in the API refuses to start in production.',
    ),
  ORDER_LINK_SECRET: rotatedSecret
    .optional()
    .describe(
      'Signs the links to payment pages, 32 characters or more; sign-in needs it. Two of them, with a comma between, while it is being rotated: the first one signs, both are accepted.',
    ),
  ORDER_LINK_VALID_SECONDS: z.coerce
    .number()
    .int()
    .min(60)
    .max(365 * 24 * 3600)
    .default(7 * 24 * 3600)
    .describe('How long a signed link opens its order, in seconds, rounded up to a full hour.'),
  ORDER_ID_SECRET: z
    .string()
    .regex(new RegExp(`^${secretText}$`), 'must have 32 characters or more, without spaces and commas')
    .optional()
    .describe(
      'Keys the ids of orders that are made with an `Idempotency-Key`, so that nobody can work them out from the key, and the hashes of client addresses; 32 characters or more. Set it before the first order and keep it: with another secret, a repeated key creates another order.',
    ),

  CUSTOMER_MAX_UNPAID_ORDERS: count
    .optional()
    .describe(
      'How many orders of one customer may be unpaid at once; the next one is answered 429 with errorCode 2003.',
    ),
  CUSTOMER_MAX_UNPAID_PIECES: count
    .optional()
    .describe("How many pieces one customer's unpaid orders may hold of the stock, all items together."),
  ADDRESS_MAX_UNPAID_ORDERS: count
    .optional()
    .describe('The same as `CUSTOMER_MAX_UNPAID_ORDERS` for one client address. It counts only while sign-in is off.'),
  ADDRESS_MAX_UNPAID_PIECES: count
    .optional()
    .describe('The same as `CUSTOMER_MAX_UNPAID_PIECES` for one client address. It counts only while sign-in is off.'),

  OTEL_EXPORTER_OTLP_ENDPOINT: httpUrl
    .optional()
    .describe(
      'Where traces go: an OpenTelemetry collector, or any trace store that takes OTLP over HTTP, for example `http://127.0.0.1:4318`. The other standard `OTEL_*` variables hold too. Without it and without `ZIPKIN_URL` no traces are sent.',
    ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: httpUrl
    .optional()
    .describe('The whole address that traces go to, if it is not `OTEL_EXPORTER_OTLP_ENDPOINT` and `/v1/traces`.'),
  OTEL_EXPORTER_OTLP_PROTOCOL: z
    .literal('http/protobuf', 'must be http/protobuf; every collector takes it on port 4318')
    .optional()
    .describe('How traces are sent to the collector.'),
  ZIPKIN_URL: httpUrl
    .optional()
    .describe(
      'A Zipkin that traces go to in its own format, for example `http://127.0.0.1:8600`. `npm start` sets it to its own Zipkin. Prefer OTLP for a new installation.',
    ),
  ZIPKIN_UI_URL: httpUrl
    .default('http://127.0.0.1:8600')
    .describe('Where operators reach Zipkin; the desk and the command line link to it.'),
  TEMPORAL_UI_URL: httpUrl
    .default('http://127.0.0.1:8233')
    .describe("Where operators reach Temporal's Web UI; the desk and the command line link to it."),
  STATE_DIR: z
    .string()
    .min(1)
    .default('.state')
    .describe('Where `npm start` keeps its data and logs; a path from the project folder, or an absolute one.'),
  POSTGRES_PORT: port
    .optional()
    .describe("Port of `npm start`'s own PostgreSQL. Without it a free one is taken, and kept from start to start."),
  TEMPORAL_PORT: port.default(7233).describe("Port of `npm start`'s own Temporal server."),
  TEMPORAL_UI_PORT: port.default(8233).describe('Port of its Web UI.'),
  TEMPORAL_CLI_PATH: z
    .string()
    .min(1)
    .optional()
    .describe(
      'The `temporal` program that runs it. Without it: the one on the PATH, or one that is installed for you.',
    ),
  ZIPKIN_PORT: port.default(8600).describe("Port of `npm start`'s own Zipkin."),
});

export type Environment = z.output<typeof environmentSchema>;

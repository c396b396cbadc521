import { createRequire } from 'node:module';
import { stdout } from 'node:process';
import { isSpanContextValid, trace } from '@opentelemetry/api';
import {
  destination as openDestination,
  type DestinationStream,
  type Logger,
  type LoggerOptions,
  pino,
  stdSerializers,
  stdTimeFunctions,
} from 'pino';

export type { Logger } from 'pino';

type LoggerConfig = { readonly production: boolean; readonly logLevel: string };

const REDACTED = '[redacted]';

/** Fields that are never written, at the top of a log object or one level down. */
const SECRET_FIELDS = [
  'authorization',
  'cookie',
  'password',
  'apiKey',
  'secret',
  'token',
  'client_secret',
  'card',
  'cardNumber',
  'cvc',
  'payment_method',
];
const SECRET_PATHS = [
  ...SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.headers.${field}`]),
  '["stripe-signature"]',
  '*["stripe-signature"]',
  '*.headers["stripe-signature"]',
];

/**
 * What a secret looks like inside a text: Stripe keys, webhook secrets, bearer tokens, JWTs, passwords in addresses.
 */
const SECRET_TEXT =
  /\beyJ[\w-]{10,}\.[\w-]*\.[\w-]*|\b(?:(?:sk|rk)_(?:test|live)|whsec)_\w+|\bBearer [\w.~+/=-]+|(?<=:\/\/[^\s:/@"]+:)[^\s@"]+(?=@)/g;

/** Of an error only these are written: a Stripe or PostgreSQL error carries whole requests and rows besides. */
const ERROR_FIELDS = [
  'code',
  'type',
  'statusCode',
  'requestId',
  'decline_code',
  'param',
  'constraint',
  'nonRetryable',
  'orderId',
] as const;

/**
 * Makes the logger of a process: one JSON line an event, or lines for people if the output is a terminal and this is
 * not production. Each line that is written under a trace carries its `traceId`; secrets are taken out.
 *
 * @param service the process's name, for example `orders-api`; part of each line
 * @param destination where to write the lines instead of the standard output
 */
export function createLogger(config: LoggerConfig, service: string, destination?: DestinationStream): Logger {
  const options: LoggerOptions = {
    level: config.logLevel,
    base: { service },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: serializeError, error: serializeError },
    redact: { paths: SECRET_PATHS, censor: REDACTED },
    hooks: { streamWrite: withoutSecrets },
    mixin: activeTrace,
  };
  if (destination !== undefined) {
    return pino(options, destination);
  }
  if (!config.production && stdout.isTTY && isInstalled('pino-pretty')) {
    const transport = { target: 'pino-pretty', options: { ignore: 'service', messageFormat: '{service}: {msg}' } };
    return pino({ ...options, transport });
  }
  return pino(options, standardOutput());
}

/** What can't be written for a while is kept up to this, and written with the next line; what comes after is dropped. */
const MAX_UNWRITTEN_BYTES = 1024 * 1024;

/** Orders matter more than their log: an output that can't be written, on a full disk for example, ends no process. */
function standardOutput(): DestinationStream {
  const output = openDestination({ dest: stdout.fd, sync: true, maxLength: MAX_UNWRITTEN_BYTES });
  output.on('error', () => undefined);
  // Without its `flushSync`, which a fatal line calls: it would wait for ever, and a synchronous output needs none.
  return { write: (line) => output.write(line) };
}

/** Takes everything out of a text that looks like one of our secrets. */
export function withoutSecrets(text: string): string {
  return text.replace(SECRET_TEXT, REDACTED);
}

function activeTrace(): { traceId?: string } {
  const context = trace.getActiveSpan()?.spanContext();
  return context !== undefined && isSpanContextValid(context) ? { traceId: context.traceId } : {};
}

/** Reduces an error to its kind, message, stack and causes, without the request, row or card that it may carry. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) {
    return error;
  }
  const { type, message, stack } = stdSerializers.err(error);
  const fields = ERROR_FIELDS.flatMap((field) => {
    const value: unknown = Reflect.get(error, field);
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [[field, value]] : [];
  });
  return { name: type, message, stack, ...Object.fromEntries(fields) };
}

/** pino-pretty is for development alone, and an installation without it logs JSON. */
function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

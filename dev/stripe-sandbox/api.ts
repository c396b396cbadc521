import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { V1Endpoint } from './endpoint.ts';
import { V1_ENDPOINTS } from './endpoints.ts';
import { invalidRequest, StripeApiError } from './errors.ts';
import { API_VERSION, type Account, type Cause } from './events.ts';
import { expandObject, splitExpand } from './expand.ts';
import type { FaultAction, Faults } from './faults.ts';
import type { Idempotency } from './idempotency.ts';
import { newId } from './ids.ts';
import { parseForm, type FormData } from './params.ts';

/** One request as the account's log has it: what a test reads to see what was asked of Stripe. */
export type RequestLogEntry = {
  id: string;
  method: string;
  path: string;
  idempotencyKey: string | null;
  status: number | 'reset';
  replayed: boolean;
};

export type V1Options = {
  account: Account;
  apiKey: string;
  faults: Faults;
  idempotency: Idempotency;
  /** Called for each request when it has ended. */
  log: (entry: RequestLogEntry) => void;
  closing: AbortSignal;
};

type Answer = { status: number; body: string };

const BODY_LIMIT_BYTES = 1024 * 1024;

/** Stripe's API under /v1. */
export function registerV1(app: FastifyInstance, options: V1Options): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: BODY_LIMIT_BYTES }, (_request, body, done) => {
    done(null, body);
  });
  for (const endpoint of V1_ENDPOINTS) {
    app.route({
      method: endpoint.method,
      url: endpoint.path,
      handler: async (request, reply) => serve(endpoint, request, reply, options),
    });
  }
}

/** What /v1 answers if there is no such route. */
export function unknownUrl(method: string, path: string): StripeApiError {
  return new StripeApiError(404, {
    type: 'invalid_request_error',
    message: `Unrecognized request URL (${method}: ${path}). This is the local Stripe sandbox: it answers only the URLs that dev/stripe-sandbox/README.md lists.`,
  });
}

/** Answers with Stripe's error envelope. */
export function sendError(reply: FastifyReply, error: StripeApiError): FastifyReply {
  reply.header('request-id', newId('req', 14));
  return reply.status(error.status).type('application/json').send(JSON.stringify(error.envelope));
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

async function serve(endpoint: V1Endpoint, request: FastifyRequest, reply: FastifyReply, options: V1Options) {
  const requestId = newId('req', 14);
  const path = request.url.split('?')[0] ?? '';
  const idempotencyKey = endpoint.method === 'POST' ? headerOf(request, 'idempotency-key') : undefined;
  const cause: Cause = { id: requestId, idempotency_key: idempotencyKey ?? null };
  reply.header('request-id', requestId).header('stripe-version', API_VERSION);
  if (idempotencyKey !== undefined) reply.header('idempotency-key', idempotencyKey);

  let replayed = false;
  let answer: Answer | 'reset';
  try {
    authenticate(request, options.apiKey);
    const input = readInput(endpoint, request);
    const begun =
      idempotencyKey === undefined
        ? undefined
        : options.idempotency.begin(idempotencyKey, `${endpoint.method} ${path}`, input);
    replayed = begun !== undefined && 'body' in begun;
    const fault = options.faults.meet(endpoint.method, path);
    answer =
      begun !== undefined && 'body' in begun
        ? await perform(fault, () => begun, options)
        : await perform(fault, () => execute(endpoint, request, input, cause, options), options, begun?.end);
  } catch (error) {
    answer = toAnswer(error, request);
  }
  options.log({
    id: requestId,
    method: endpoint.method,
    path,
    idempotencyKey: idempotencyKey ?? null,
    status: answer === 'reset' ? answer : answer.status,
    replayed,
  });
  if (answer === 'reset') {
    reply.hijack();
    request.raw.socket.resetAndDestroy();
    return reply;
  }
  if (replayed) reply.header('idempotent-replayed', 'true');
  return reply.status(answer.status).type('application/json').send(answer.body);
}

type Executed = Answer & { keep?: boolean };

/** Does what is asked, unless a scripted fault says otherwise, and keeps the answer under its key. */
async function perform(
  fault: { action: FaultAction; held: () => Promise<void> } | undefined,
  run: () => Executed,
  { account, closing }: V1Options,
  end: (answer?: Answer) => void = () => {},
): Promise<Answer | 'reset'> {
  const action = fault?.action;
  // A sandbox that closes waits for no fault.
  const pause = async (ms: number) => sleep(ms, undefined, { signal: closing }).catch(() => {});
  let answer: Executed;
  let kept: Answer | undefined;
  try {
    if (action?.type === 'hang') {
      await pause(action.ms);
      return 'reset';
    }
    if (action?.type === 'reset' && action.when === 'before') return 'reset';
    if (action?.type === 'delay' && action.when === 'before') await pause(action.ms);
    if (action?.type === 'error') {
      const executed = action.effect ? run() : undefined;
      answer = scriptedError(action);
      kept = action.stored ? answer : keptOf(executed);
    } else {
      answer = run();
      kept = keptOf(answer);
    }
  } finally {
    end(kept);
    account.save();
  }
  if (action?.type === 'reset') return 'reset';
  if (action?.type === 'delay' && action.when === 'after') await pause(action.ms);
  if (action?.type === 'hold') await fault?.held();
  return { status: answer.status, body: answer.body };
}

function keptOf(executed: Executed | undefined): Answer | undefined {
  return executed?.keep === true ? { status: executed.status, body: executed.body } : undefined;
}

function execute(
  endpoint: V1Endpoint,
  request: FastifyRequest,
  input: FormData,
  cause: Cause,
  { account }: V1Options,
): Executed {
  try {
    const { expand, rest } = splitExpand(input);
    const { id = '' } = request.params as { id?: string };
    const object = endpoint.run({ account, id, input: rest, cause });
    return { status: 200, body: JSON.stringify(expandObject(account, object, expand)), keep: true };
  } catch (error) {
    return toAnswer(error, request);
  }
}

function toAnswer(error: unknown, request: FastifyRequest): Executed {
  if (error instanceof StripeApiError) {
    return { status: error.status, body: JSON.stringify(error.envelope), keep: error.executed };
  }
  request.log.error({ err: error }, 'the sandbox failed at a request');
  const message = error instanceof Error ? error.message : String(error);
  const failure = new StripeApiError(500, { type: 'api_error', message: `The Stripe sandbox failed: ${message}` });
  return { status: failure.status, body: JSON.stringify(failure.envelope) };
}

const ERROR_OF_STATUS: Readonly<Record<number, { type: string; code?: string; message: string }>> = {
  409: {
    type: 'idempotency_error',
    code: 'idempotency_key_in_use',
    message: 'There is currently another in-progress request using this Idempotent Key. Please try again later.',
  },
  429: {
    type: 'invalid_request_error',
    code: 'rate_limit',
    message:
      'Request rate limit exceeded. You can learn more about rate limits here https://stripe.com/docs/rate-limits.',
  },
};

function scriptedError(action: FaultAction & { type: 'error' }): Answer {
  const usual = ERROR_OF_STATUS[action.status] ?? {
    type: action.status >= 500 ? 'api_error' : 'invalid_request_error',
    message: 'An unknown error occurred. (A fault that a test has scripted.)',
  };
  const error = {
    type: action.errorType ?? usual.type,
    code: action.code ?? usual.code,
    message: action.message ?? usual.message,
  };
  return { status: action.status, body: JSON.stringify({ error }) };
}

function authenticate(request: FastifyRequest, apiKey: string): void {
  const [scheme = '', value = ''] = (headerOf(request, 'authorization') ?? '').split(' ');
  let given = '';
  if (scheme.toLowerCase() === 'bearer') given = value;
  else if (scheme.toLowerCase() === 'basic') given = Buffer.from(value, 'base64').toString().split(':')[0] ?? '';
  if (given === apiKey) return;
  const message =
    given === ''
      ? "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
      : `Invalid API Key provided: ${given.slice(0, 8)}****${given.slice(-4)}`;
  throw new StripeApiError(401, { type: 'invalid_request_error', message });
}

function readInput(endpoint: V1Endpoint, request: FastifyRequest): FormData {
  const version = headerOf(request, 'stripe-version');
  if (version !== undefined && version !== API_VERSION) {
    throw invalidRequest(`The Stripe sandbox knows API version ${API_VERSION} alone; the request wants ${version}.`);
  }
  if (endpoint.method === 'GET') return parseForm(request.url.split('?')[1] ?? '');
  const type = headerOf(request, 'content-type');
  if (type !== undefined && !type.startsWith('application/x-www-form-urlencoded')) {
    throw invalidRequest(`Invalid request: the body must be application/x-www-form-urlencoded, not ${type}.`);
  }
  return parseForm(typeof request.body === 'string' ? request.body : '');
}

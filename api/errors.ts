import { isGrpcDeadlineError, isGrpcServiceError, WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import type { Refusal } from '../contracts/messages.ts';
import { unreachable } from '../domain/must.ts';
import { currentTraceId } from '../platform/telemetry.ts';
import type { Envelope } from './envelope.ts';

/** The stable codes of the orders API, each with its HTTP status. */
const errorKinds = {
  invalidRequest: { errorCode: 1000, statusCode: 400 },
  bodyTooLarge: { errorCode: 1001, statusCode: 413 },
  notJson: { errorCode: 1002, statusCode: 415 },
  noSuchRoute: { errorCode: 1003, statusCode: 404 },
  notSignedIn: { errorCode: 1004, statusCode: 401 },
  notAllowed: { errorCode: 1005, statusCode: 403 },
  methodNotAllowed: { errorCode: 1007, statusCode: 405 },
  tooManyRequests: { errorCode: 1006, statusCode: 429 },
  noSuchOrder: { errorCode: 2000, statusCode: 404 },
  notCancellable: { errorCode: 2001, statusCode: 409 },
  keyReused: { errorCode: 2002, statusCode: 422 },
  tooManyOrders: { errorCode: 2003, statusCode: 429 },
  notRefundable: { errorCode: 2004, statusCode: 409 },
  notReleasable: { errorCode: 2005, statusCode: 409 },
  outOfStock: { errorCode: 3000, statusCode: 409 },
  unknownItem: { errorCode: 3001, statusCode: 422 },
  itemExists: { errorCode: 3002, statusCode: 409 },
  noSuchItem: { errorCode: 3003, statusCode: 404 },
  internal: { errorCode: 5000, statusCode: 500 },
  unavailable: { errorCode: 5001, statusCode: 503 },
  /** An open order has no workflow. For a client it is unavailable; an operator is pointed to the doctor. */
  noWorkflow: { errorCode: 5001, statusCode: 503 },
} as const;

type ErrorKind = keyof typeof errorKinds;
type ErrorData = Readonly<Record<string, unknown>>;

/** An error as the client gets it. The message names the field or the order, and the fix. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly kind: ErrorKind;
  readonly errorCode: number;
  readonly statusCode: number;
  readonly data: ErrorData | null;
  /** The order's own trace, if the answer is about an order that exists; undefined for the request's. */
  readonly traceId: string | undefined;

  constructor(
    kind: ErrorKind,
    message: string,
    details: { readonly data?: ErrorData; readonly traceId?: string; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
    this.kind = kind;
    ({ errorCode: this.errorCode, statusCode: this.statusCode } = errorKinds[kind]);
    this.data = details.data ?? null;
    this.traceId = details.traceId;
  }

  /** @param requestTraceId used unless the answer is about an order, which has a trace of its own */
  toEnvelope(requestTraceId = currentTraceId()): Envelope<ErrorData | null> {
    return {
      data: this.data,
      errorCode: this.errorCode,
      message: this.message,
      traceID: this.traceId ?? requestTraceId,
    };
  }
}

export type FieldProblem = { readonly path: string; readonly problem: string };

export function invalidRequest(fields: readonly FieldProblem[], traceId?: string): ApiError {
  const problems = fields.map(({ path, problem }) => `${path} ${problem}`).join('; ');
  const data = { fields };
  return new ApiError('invalidRequest', `The request is not valid: ${problems}`, {
    data,
    ...(traceId === undefined ? {} : { traceId }),
  });
}

/** @param asker a customer does not learn whether the order exists for somebody else */
export function noSuchOrder(orderId: string, asker: 'customer' | 'operator'): ApiError {
  const whose = asker === 'customer' ? ' of this customer' : '';
  return new ApiError('noSuchOrder', `There is no order ${printable(orderId)}${whose}`);
}

/** The answer to a create that was refused. There is no order, so the answer has no order id. */
export function refusalError(refusal: Exclude<Refusal, { reason: 'orderExists' }>, traceId: string): ApiError {
  switch (refusal.reason) {
    case 'outOfStock': {
      const items = refusal.shortages.map(({ itemId, wanted, available }) => ({ item_id: itemId, wanted, available }));
      const told = items.map((item) => `${item.wanted} of ${item.item_id} are wanted, ${item.available} are available`);
      return new ApiError('outOfStock', `Out of stock: ${told.join('; ')}`, { data: { items }, traceId });
    }
    case 'unknownItem': {
      const { itemIds, offSaleIds = [] } = refusal;
      const unknown = itemIds.filter((itemId) => !offSaleIds.includes(itemId));
      const problems = [
        ...(unknown.length === 0 ? [] : [`Unknown ${unknown.length === 1 ? 'item' : 'items'}: ${unknown.join(', ')}`]),
        ...(offSaleIds.length === 0 ? [] : [`Not on sale: ${offSaleIds.join(', ')}`]),
      ];
      return new ApiError('unknownItem', problems.join('; '), { data: { item_ids: itemIds }, traceId });
    }
    case 'mixedCurrencies':
      return invalidRequest(
        [
          {
            path: 'items',
            problem: `are priced in ${refusal.currencies.join(' and ')}, but an order has one currency; place one order for each`,
          },
        ],
        traceId,
      );
    case 'tooManyOrders':
      return new ApiError('tooManyOrders', describeTooMany(refusal), { data: tooManyData(refusal), traceId });
    case 'tooLate':
      return new ApiError(
        'unavailable',
        'The order could not be created in time and was given up; send it again, with a new Idempotency-Key if you use one',
        { traceId },
      );
    default:
      return unreachable(refusal);
  }
}

type TooManyOrders = Extract<Refusal, { reason: 'tooManyOrders' }>;

function describeTooMany({ of, limit: { maxOrders, maxPieces }, open, wantedPieces, orderIds }: TooManyOrders): string {
  const whose = of === 'customer' ? 'of this customer' : 'from this address';
  const problem =
    maxOrders !== undefined && open.orders >= maxOrders
      ? `${open.orders} orders ${whose} are unpaid, and at most ${maxOrders} may be`
      : `the unpaid orders ${whose} hold ${open.pieces} pieces, and ${wantedPieces} more would exceed the limit of ${maxPieces}`;
  const fix = orderIds.length > 0 ? 'Pay or cancel one of them' : 'Try again once some are paid, cancelled or expired';
  return `Too many unpaid orders: ${problem}. ${fix}, and send the request with a new Idempotency-Key if you use one`;
}

function tooManyData({ of, limit, open, wantedPieces, orderIds }: TooManyOrders): ErrorData {
  return {
    of,
    limit: { orders: limit.maxOrders ?? null, pieces: limit.maxPieces ?? null },
    open,
    wanted_pieces: wantedPieces,
    order_ids: orderIds,
  };
}

/**
 * Turns whatever was thrown into the error that the client gets. An unexpected error is a bug, and reveals nothing.
 *
 * @param bodyLimitBytes the limit of a body, for the message about one that exceeds it
 */
export function toApiError(error: unknown, bodyLimitBytes = 0): ApiError {
  if (error instanceof ApiError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    return invalidRequest(fieldProblems(error.validation, PARTS[error.validationContext ?? 'body']));
  }
  const { code, statusCode } = detailsOf(error);
  if (statusCode === 429) {
    return new ApiError('tooManyRequests', 'Too many requests; wait for the seconds in the header Retry-After');
  }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new ApiError('bodyTooLarge', `The body is too large; the limit is ${bodyLimitBytes / 1024} KB`);
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new ApiError('notJson', 'The body is not JSON; send it with the header Content-Type: application/json');
  }
  if (code === 'FST_ERR_CTP_INVALID_JSON_BODY') {
    return invalidRequest([{ path: 'body', problem: 'has a field named __proto__ or constructor' }]);
  }
  if (isAway(error)) {
    return new ApiError('unavailable', 'A part of the system is unavailable at the moment; try again soon', {
      cause: error,
    });
  }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 && error instanceof Error) {
    return invalidRequest([{ path: 'request', problem: `cannot be read: ${error.message}` }]);
  }
  return new ApiError('internal', 'Something went wrong on our side; the traceID helps us find out what', {
    cause: error,
  });
}

/** The gRPC codes that do not blame the request: cancelled, deadline, resources, aborted, unavailable, and unknown. */
const AWAY_GRPC_CODES: ReadonlySet<number> = new Set([1, 2, 4, 8, 10, 14]);

/** SQLSTATE classes of lost connections, full resources and a server that stops, and statements that took too long. */
const AWAY_SQLSTATE = /^(?:08|53|57)/;
const AWAY_SYSTEM_CODES: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
]);
/** Errors that the pool of `pg` throws without a code, so that only their texts identify them. */
const AWAY_POOL_MESSAGE = /timeout exceeded when trying to connect|Connection terminated|Query read timeout/;

/**
 * Whether Temporal or PostgreSQL could not be reached, or did not answer in time: the same request may succeed later.
 */
export function isAway(error: unknown): boolean {
  if (isGrpcDeadlineError(error)) return true;
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return true;
    if (isGrpcServiceError(current)) return AWAY_GRPC_CODES.has(current.code);
    const { code } = detailsOf(current);
    if (AWAY_SYSTEM_CODES.has(code) || AWAY_POOL_MESSAGE.test(current.message)) return true;
    if (typeof code === 'string' && code.length === 5 && AWAY_SQLSTATE.test(code)) return true;
  }
  return false;
}

/** What the parts of a request are called to clients. */
const PARTS = { body: 'body', querystring: 'query', params: 'path', headers: 'headers' } as const;

/** Removes duplicates: a field may break several rules that share one message. */
function fieldProblems(issues: readonly Issue[], part: string): FieldProblem[] {
  const problems = issues.map((issue) => fieldProblem(issue, part));
  return problems.filter(
    ({ path, problem }, index) =>
      index === problems.findIndex((other) => other.path === path && other.problem === problem),
  );
}

type Issue = { readonly instancePath: string; readonly message?: string | undefined };

/** @param part named where the problem is the whole of it */
function fieldProblem(issue: Issue, part: string): FieldProblem {
  const path = issue.instancePath
    .slice(1)
    .replace(/\/(\d+)(?=\/|$)/g, '[$1]')
    .replaceAll('/', '.');
  return { path: path === '' ? part : path, problem: issue.message ?? 'is not valid' };
}

function detailsOf(error: unknown): { readonly code?: unknown; readonly statusCode?: unknown } {
  return typeof error === 'object' && error !== null ? error : {};
}

/** Shortens an id from a request and reduces it to ASCII, to show it in a message. */
function printable(text: string): string {
  return JSON.stringify(text.slice(0, 40))
    .slice(1, -1)
    .replace(/[^\x20-\x7e]/g, '?');
}

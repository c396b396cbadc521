import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestAsyncHookHandler, RouteOptions } from 'fastify';
import { ApiError, noSuchOrder } from '../errors.ts';
import { errorResponses } from '../routes/error-responses.ts';
import type { OrderLinks } from './order-links.ts';
import type { TokenVerifier } from './tokens.ts';

export type SignIn = {
  /** Checks the tokens of customers and operators; without it, callers are trusted. */
  readonly verifyToken?: TokenVerifier | undefined;
  /** A fixed bearer token whose holder is an operator. */
  readonly operatorToken?: string | undefined;
  readonly orderLinks?: OrderLinks | undefined;
};

/** The names of the ways to sign in, in the OpenAPI document. */
export const securitySchemes = {
  customerToken: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: "A customer's token of the shop's identity provider; its customer id is the customerID of the path.",
  },
  orderLink: {
    type: 'apiKey',
    in: 'query',
    name: 'token',
    description: 'The token of a `redirect_url`: it opens this one order until it expires.',
  },
  operatorToken: {
    type: 'http',
    scheme: 'bearer',
    description: "OPERATOR_TOKEN, or a token of the shop's identity provider with the operators' scope.",
  },
} as const;

/** The name under which changes with OPERATOR_TOKEN are recorded. */
const SHARED_OPERATOR_NAME = 'OPERATOR_TOKEN';

/**
 * Makes customers and operators sign in. A route's path decides who may call it, so that a route that is added later is
 * not open by mistake: `/api/customer/:customerID` is for that customer, and `/api/operator` for operators. With
 * `:orderID` in its path, a customer's route also accepts the link to the order. Call it before the routes are added.
 */
export function addSignIn(app: FastifyInstance, signIn: SignIn): void {
  app.decorateRequest('actor', null);
  app.addHook('onRoute', (route) => {
    if (/^\/api\/operator(\/|$)/.test(route.url)) {
      guard(route, operatorGuard(signIn), [{ operatorToken: [] }], [401, 403]);
    } else if (/^\/api\/customer\/:customerID(\/|$)/.test(route.url)) {
      const isOrder = route.url.includes('/:orderID');
      if (signIn.verifyToken === undefined && !(isOrder && signIn.orderLinks !== undefined)) return;
      const security = [
        // The document does not describe a gateway that signs customers in.
        signIn.verifyToken === undefined ? {} : { customerToken: [] },
        ...(isOrder && signIn.orderLinks !== undefined ? [{ orderLink: [] }] : []),
      ];
      guard(route, customerGuard(signIn, isOrder), security, isOrder ? [401] : [401, 403]);
    }
  });
}

/** Adds a guard after the rate limit and before the body is read, and documents it in the OpenAPI document. */
function guard(
  route: RouteOptions,
  handler: onRequestAsyncHookHandler,
  security: readonly { readonly [scheme: string]: readonly string[] }[],
  statuses: readonly (401 | 403)[],
): void {
  const others = route.onRequest === undefined ? [] : [route.onRequest].flat();
  route.onRequest = [...others, handler];
  const { schema } = route;
  if (schema === undefined) return;
  const responses = schema.response as Record<string, unknown> | undefined;
  route.schema = { ...schema, security, response: { ...errorResponses(...statuses), ...responses } };
}

function customerGuard({ verifyToken, orderLinks }: SignIn, isOrder: boolean): onRequestAsyncHookHandler {
  return async (request, reply) => {
    const { customerID = '', orderID = '' } = request.params as { customerID?: string; orderID?: string };
    const linkToken = isOrder && orderLinks !== undefined ? tokenOfLink(request) : undefined;
    if (linkToken !== undefined && orderLinks !== undefined) {
      if ((await orderLinks.verify(linkToken)) !== orderID) throw noSuchOrder(orderID, 'customer');
      request.actor = { kind: 'link', orderId: orderID };
      return;
    }
    if (verifyToken === undefined) return; // a gateway has signed the customer in
    const token = bearerToken(request);
    if (token === undefined) throw notSignedIn(reply, 'Sign in with the header Authorization: Bearer <token>');
    const { customerId } = await challenging(reply, () => verifyToken(token));
    if (customerId !== customerID) {
      if (isOrder) throw noSuchOrder(orderID, 'customer');
      throw new ApiError('notAllowed', 'The bearer token belongs to a customer other than the one in the path');
    }
    request.actor = { kind: 'customer', customerId };
  };
}

function operatorGuard(signIn: SignIn): onRequestAsyncHookHandler {
  return async (request, reply) => {
    const token = bearerToken(request);
    if (token === undefined) {
      throw notSignedIn(reply, 'Operators sign in with the header Authorization: Bearer <token>');
    }
    const { name } = await challenging(reply, () => operatorOfToken(signIn, token));
    request.actor = { kind: 'operator', name };
  };
}

/**
 * Says which operator a token belongs to, on the routes and at the desk.
 *
 * @returns the name under which is written down what they do, and when the token ends, in ms since 1970
 * @throws ApiError 1004 for a token that does not count, 1005 for one that is no operator's, 5001 if that can't be told
 */
export async function operatorOfToken(
  { verifyToken, operatorToken }: Pick<SignIn, 'verifyToken' | 'operatorToken'>,
  token: string,
): Promise<{ readonly name: string; readonly endsAtMs: number }> {
  if (operatorToken !== undefined && isSame(token, operatorToken)) {
    return { name: SHARED_OPERATOR_NAME, endsAtMs: Number.POSITIVE_INFINITY };
  }
  if (verifyToken === undefined) throw new ApiError('notSignedIn', 'The token is not OPERATOR_TOKEN');
  const { operatorName, endsAtMs } = await verifyToken(token);
  if (operatorName === undefined) throw new ApiError('notAllowed', "The bearer token is not an operator's");
  return { name: operatorName, endsAtMs };
}

async function challenging<T>(reply: FastifyReply, check: () => Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof ApiError && error.statusCode === 401) challenge(reply, 'Bearer error="invalid_token"');
    throw error;
  }
}

function notSignedIn(reply: FastifyReply, message: string): ApiError {
  challenge(reply, 'Bearer');
  return new ApiError('notSignedIn', message);
}

/** RFC 6750, section 3. */
function challenge(reply: FastifyReply, value: string): void {
  reply.header('www-authenticate', value);
}

function bearerToken({ headers }: FastifyRequest): string | undefined {
  // An OPERATOR_TOKEN may contain spaces.
  const token = /^Bearer (?<token>.+)$/i.exec(headers.authorization ?? '')?.groups?.['token']?.trim();
  return token === '' ? undefined : token;
}

/** Returns the token of the address; undefined if it is empty or given twice, which can't be right. */
function tokenOfLink({ query }: FastifyRequest): string | undefined {
  const { token } = query as { readonly token?: unknown };
  if (token === undefined) return undefined;
  return typeof token === 'string' ? token : '';
}

/** Compares secrets of any length in constant time. */
function isSame(given: string, expected: string): boolean {
  const [left, right] = [given, expected].map((text) => createHash('sha256').update(text).digest());
  return left !== undefined && right !== undefined && timingSafeEqual(left, right);
}

import type { FastifyInstance } from 'fastify';
import { afterAll, describe, expect, test } from 'vitest';
import { ApiError } from './errors.ts';
import { createOrdersApp } from './orders-api.ts';
import { fakeDependencies, orderRecord } from './testing/fakes.ts';

/*
 * Each route is brought to answer in every way that there is, by what is wrong with a request and by what fails behind
 * the routes. Only what its document has may come back. The routes are those of the document, so one that is added later
 * is tried too.
 */

const OPERATOR = 'operator-token-of-32-characters';
const CUSTOMER = 'ann';
const ORDER = orderRecord({ customerId: CUSTOMER, status: 'FINISHED' });

/** Answers that any route may give; the document tells them once, in its introduction. */
const OF_EVERY_ROUTE = new Set([405, 408, 431]);

const { dependencies } = fakeDependencies({ orders: [ORDER] });

/** The same with every part behind the routes failing like this. */
function failing(error: Error): typeof dependencies {
  const fail = async () => {
    throw error;
  };
  const catalogue = { listItems: fail, listItemsOnSale: fail, addItem: fail, changeItem: fail, changeStock: fail };
  const orderWorkflow = { ...dependencies.orderWorkflow, create: fail };
  return { ...dependencies, findOrder: fail, listOrders: fail, listEvents: fail, catalogue, orderWorkflow };
}

async function start(parts: typeof dependencies, requestsPerMinute = 10_000) {
  return createOrdersApp({
    ...parts,
    verifyToken: async (token) => {
      if (token === 'customer') return { customerId: CUSTOMER, operatorName: undefined, endsAtMs: 0 };
      throw new ApiError('notSignedIn', 'The token is wrong');
    },
    operatorToken: OPERATOR,
    checks: {},
    requestsPerMinute,
    trustedProxies: [],
  });
}

const apps = {
  well: await start(dependencies),
  hasty: await start(dependencies, 0),
  away: await start(failing(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))),
  broken: await start(failing(new Error('a bug'))),
};
await apps.well.ready();
afterAll(() => Promise.all(Object.values(apps).map((app) => app.close())));

type Operation = {
  readonly responses: object;
  readonly requestBody?: { content: Record<string, { example?: unknown }> };
};
type Route = { readonly method: 'GET' | 'POST' | 'PATCH'; readonly path: string; readonly operation: Operation };

function routesOf(app: FastifyInstance): Route[] {
  return Object.entries(app.swagger().paths ?? {}).flatMap(([path, operations]) =>
    Object.entries(operations ?? {}).map(([method, operation]) => ({
      method: method.toUpperCase() as Route['method'],
      path,
      operation: operation as Operation,
    })),
  );
}

const routes = routesOf(apps.well);

type Request = {
  readonly method: Route['method'];
  readonly url: string;
  readonly query?: Record<string, string>;
  readonly headers: Record<string, string>;
  readonly payload?: string | object;
};

/** A request that all is right with. */
function rightRequest({ method, path, operation }: Route): Request {
  const example = operation.requestBody?.content['application/json']?.example as object | undefined;
  return {
    method,
    url: path
      .replace('{customerID}', CUSTOMER)
      .replace('{orderID}', ORDER.orderId)
      .replace('{itemID}', 'prod_SNjRcpjxpiazxk'),
    ...(path.startsWith('/payment') && { query: { 'customer-id': CUSTOMER, 'order-id': ORDER.orderId } }),
    headers: { authorization: `Bearer ${path.startsWith('/api/operator') ? OPERATOR : 'customer'}` },
    // The example of a create names a customer of its own.
    ...(example && { payload: path.endsWith('/create') ? { ...example, customerID: CUSTOMER } : example }),
  };
}

/** Puts something in the place of what the path names. */
function pathTo(url: string, other: string): string {
  return url.replace(CUSTOMER, other).replace(ORDER.orderId, other).replace('prod_', other);
}

type Way = Partial<Request> & { readonly app?: keyof typeof apps };

const WAYS: Readonly<Record<string, (right: Request) => Way>> = {
  'all is right': () => ({}),
  'nobody is signed in': () => ({ headers: {} }),
  'a customer asks': () => ({ headers: { authorization: 'Bearer customer' } }),
  'the token is wrong': () => ({ headers: { authorization: 'Bearer wrong' } }),
  'it names what is not there': ({ url }) => ({
    url: url.replace(ORDER.orderId, 'f'.repeat(24)).replace('prod_', 'none_'),
    query: { 'customer-id': CUSTOMER, 'order-id': 'f'.repeat(24) },
  }),
  'its path has a zero byte': ({ url }) => ({
    url: pathTo(url, '%00'),
  }),
  'its path is badly encoded': ({ url }) => ({
    url: pathTo(url, '%E0%A4'),
  }),
  'its query is unknown': () => ({ query: { limit: 'x', token: '', unknown: '1' } }),
  'its idempotency key is too long': ({ headers }) => ({ headers: { ...headers, 'idempotency-key': 'x'.repeat(999) } }),
  'its body is empty': () => ({ payload: '' }),
  'its body is broken JSON': ({ headers }) => ({
    headers: { ...headers, 'content-type': 'application/json' },
    payload: '{',
  }),
  'its body has an unknown field': ({ headers }) => ({
    headers: { ...headers, 'content-type': 'application/json' },
    payload: '{"unknown":1}',
  }),
  'its body is poisoned': ({ headers }) => ({
    headers: { ...headers, 'content-type': 'application/json' },
    payload: '{"__proto__":{"a":1}}',
  }),
  'its body is a form': ({ headers }) => ({
    headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
    payload: 'a=1',
  }),
  'its body is text': ({ headers }) => ({ headers: { ...headers, 'content-type': 'text/plain' }, payload: 'x' }),
  'its body is compressed': ({ headers }) => ({ headers: { ...headers, 'content-encoding': 'gzip' }, payload: 'x' }),
  'its body is large': ({ headers }) => ({
    headers: { ...headers, 'content-type': 'application/json' },
    payload: JSON.stringify('x'.repeat(70_000)),
  }),
  'another site sends it': ({ headers }) => ({ headers: { ...headers, 'sec-fetch-site': 'cross-site' } }),
  'it comes too often': () => ({ app: 'hasty' }),
  'PostgreSQL and Temporal are down': () => ({ app: 'away' }),
  'something is broken': () => ({ app: 'broken' }),
};

describe.each(Object.keys(WAYS))('if %s', (way) => {
  test.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))(
    '%s answers as documented',
    async (_name, route) => {
      const right = rightRequest(route);
      const { app = 'well', ...change } = WAYS[way]?.(right) ?? {};
      const response = await apps[app].inject({ ...right, ...change });
      if (OF_EVERY_ROUTE.has(response.statusCode)) return;
      expect(Object.keys(route.operation.responses)).toContain(String(response.statusCode));
    },
  );
});

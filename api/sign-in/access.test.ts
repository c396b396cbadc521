import type { FastifyInstance } from 'fastify';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLogger } from '../../platform/logger.ts';
import { createOrdersApp } from '../orders-api.ts';
import { fakeDependencies, orderRecord } from '../testing/fakes.ts';
import { type IdentityProvider, openIdentityProvider } from '../testing/identity-provider.ts';
import { createOrderLinks } from './order-links.ts';
import { createTokenVerifier } from './tokens.ts';

/*
 * API1 and API5 (OWASP, 2023): who may not call a route does not get in, whichever route it is. The routes are those of
 * the OpenAPI document, so one that is added later is tried too.
 */

const SECRET = 'link-secret-of-32-characters-or-more';
const OPERATOR_TOKEN = 'operator-token-of-32-characters';
const ANN = 'ann';
const BOB = 'bob';
const annsOrder = orderRecord({ orderId: 'a'.repeat(24), customerId: ANN, status: 'WAITING_FOR_PAYMENT' });
const bobsOrder = orderRecord({ orderId: 'b'.repeat(24), customerId: BOB, status: 'WAITING_FOR_PAYMENT' });

type Route = {
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  /** An order is named in the path or in the query. */
  readonly names: 'order' | 'customer' | 'nothing';
  readonly kind: 'customer' | 'operator' | 'page' | 'public';
};

type Operation = { readonly parameters?: readonly { readonly in: string; readonly name: string }[] };

/** The only routes that anybody may call; another one has to be added here, and looked at. */
const PUBLIC = new Set(['GET /api/items', 'GET /', 'GET /operator']);

const links = createOrderLinks({ secrets: [SECRET], validSeconds: 3600 });
const fakes = fakeDependencies({ orders: [annsOrder, bobsOrder] });
const provider: IdentityProvider = await openIdentityProvider();
const app: FastifyInstance = await createOrdersApp({
  ...fakes.dependencies,
  orderLinks: links,
  verifyToken: createTokenVerifier({
    config: provider.config,
    logger: createLogger({ production: true, logLevel: 'silent' }, 'test'),
  }),
  operatorToken: OPERATOR_TOKEN,
  checks: {},
  requestsPerMinute: 100_000,
  trustedProxies: [],
});
await app.ready();
const routes = documentedRoutes();
const ofCustomers = routes.filter(({ kind }) => kind === 'customer');
const ofOrders = ofCustomers.filter(({ names }) => names === 'order');
const pages = routes.filter(({ kind }) => kind === 'page');
const ofOperators = routes.filter(({ kind }) => kind === 'operator');

const tokens = { ann: '', bob: '', operator: '', ended: '', forged: '' };
const linkTokens = { ann: '', bob: '', ended: '', forged: '' };
beforeAll(async () => {
  tokens.ann = await provider.issue({ sub: ANN });
  tokens.bob = await provider.issue({ sub: BOB });
  tokens.operator = await provider.issue({ sub: 'kim', scope: 'orders:operate' });
  tokens.ended = await provider.issue({ sub: ANN, scope: 'orders:operate' }, { endsIn: -60 });
  tokens.forged = `${tokens.ann.slice(0, -4)}AAAA`;
  linkTokens.ann = await links.sign(annsOrder.orderId);
  linkTokens.bob = await links.sign(bobsOrder.orderId);
  linkTokens.ended = await linkThatHasEnded();
  linkTokens.forged = await createOrderLinks({ secrets: [`not-${SECRET}`], validSeconds: 60 }).sign(annsOrder.orderId);
});
afterAll(async () => {
  await app.close();
  provider.close();
});

function documentedRoutes(): Route[] {
  return Object.entries(app.swagger().paths ?? {}).flatMap(([path, operations]) =>
    Object.entries(operations ?? {}).map(([key, operation]) => {
      const method = key.toUpperCase() as Route['method'];
      const { parameters = [] } = operation as Operation;
      const isNamed = (pattern: RegExp) => parameters.some(({ name }) => pattern.test(name));
      return {
        name: `${method} ${path}`,
        method,
        path,
        names: isNamed(/^order-?id$/i) ? 'order' : isNamed(/^customer-?id$/i) ? 'customer' : 'nothing',
        kind: kindOf(method, path),
      } satisfies Route;
    }),
  );
}

function kindOf(method: string, path: string): Route['kind'] {
  if (path.startsWith('/api/customer/')) return 'customer';
  if (path.startsWith('/api/operator/')) return 'operator';
  if (path.startsWith('/payment')) return 'page';
  expect(PUBLIC, `${method} ${path} is open to everybody`).toContain(`${method} ${path}`);
  return 'public';
}

async function linkThatHasEnded(): Promise<string> {
  return new SignJWT({ iss: 'orders-api', aud: 'order-link', sub: annsOrder.orderId })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(Math.floor(Date.now() / 1000) - 1)
    .sign(new TextEncoder().encode(SECRET));
}

type Ask = { readonly bearer?: string; readonly link?: string; readonly cookie?: string };

/** Asks for Ann's order, or for what is Ann's, with these tokens. */
async function ask({ method, path, kind }: Route, { bearer, link, cookie }: Ask) {
  fakes.asked.length = 0;
  fakes.created.length = 0;
  const url = path
    .replace('{customerID}', ANN)
    .replace('{orderID}', annsOrder.orderId)
    .replace(/\{\w+\}/g, 'some-id');
  const query = {
    ...(kind === 'page' && { 'customer-id': ANN, 'order-id': annsOrder.orderId }),
    ...(link !== undefined && { token: link }),
  };
  const response = await app.inject({
    method,
    url,
    query,
    headers: {
      ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
      ...(cookie !== undefined && { cookie }),
    },
  });
  const isJson = String(response.headers['content-type']).includes('json');
  return {
    status: response.statusCode,
    errorCode: isJson ? response.json<{ errorCode: number }>().errorCode : undefined,
    body: response.body,
    headers: response.headers,
  };
}

/** Nothing of the order was told, and nothing was asked of it. */
function expectNothingHappened({ body, headers }: { body: string; headers: object }) {
  expect(fakes.asked).toEqual([]);
  expect(fakes.created).toEqual([]);
  expect(body).not.toContain('Pencil');
  expect(headers).not.toHaveProperty('location');
  expect(headers).not.toHaveProperty('set-cookie');
}

test('all kinds of routes are there to be tried', () => {
  expect(ofOrders.length).toBeGreaterThanOrEqual(2);
  expect(ofCustomers.length).toBeGreaterThan(ofOrders.length);
  expect(pages.length).toBeGreaterThanOrEqual(3);
  expect(ofOperators.length).toBeGreaterThanOrEqual(4);
});

describe.each(ofCustomers)('$name', (route) => {
  test.each([
    ['no token', undefined],
    ['a token that has ended', 'ended'],
    ['a forged token', 'forged'],
  ] as const)('answers 1004 to %s', async (_what, token) => {
    const answer = await ask(route, token === undefined ? {} : { bearer: tokens[token] });
    expect(answer).toMatchObject({ status: 401, errorCode: 1004 });
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    expectNothingHappened(answer);
  });

  test('does not take OPERATOR_TOKEN', async () => {
    const answer = await ask(route, { bearer: OPERATOR_TOKEN });
    expect(answer).toMatchObject({ status: 401, errorCode: 1004 });
    expectNothingHappened(answer);
  });

  test("keeps other customers and operators out, as if there were nothing of Ann's", async () => {
    const expected = route.names === 'order' ? { status: 404, errorCode: 2000 } : { status: 403, errorCode: 1005 };
    for (const bearer of [tokens.bob, tokens.operator]) {
      const answer = await ask(route, { bearer });
      expect(answer).toMatchObject(expected);
      expectNothingHappened(answer);
    }
  });

  test('lets its customer in', async () => {
    const answer = await ask(route, { bearer: tokens.ann });
    expect([401, 403]).not.toContain(answer.status);
    expect(answer.errorCode).not.toBe(2000);
  });

  test('says in the OpenAPI document how to sign in', () => {
    const operation = app.swagger().paths?.[route.path]?.[route.method.toLowerCase() as 'get'];
    const isOrder = route.names === 'order';
    expect(operation?.security).toEqual([{ customerToken: [] }, ...(isOrder ? [{ orderLink: [] }] : [])]);
    expect(Object.keys(operation?.responses ?? {})).toEqual(expect.arrayContaining(['401', isOrder ? '404' : '403']));
  });
});

describe.each(ofOrders)('a link on $name', (route) => {
  test('lets in whoever has it', async () => {
    const answer = await ask(route, { link: linkTokens.ann });
    expect([401, 403]).not.toContain(answer.status);
    expect(answer.errorCode).not.toBe(2000);
  });

  test.each(['ended', 'forged'] as const)('is refused if it has %s', async (which) => {
    // A good bearer token beside it makes it no better.
    for (const bearer of [{}, { bearer: tokens.bob }]) {
      const answer = await ask(route, { ...bearer, link: linkTokens[which] });
      expect(answer).toMatchObject({ status: 401, errorCode: 1004 });
      expectNothingHappened(answer);
    }
  });

  test('opens no other order', async () => {
    const answer = await ask(route, { link: linkTokens.bob });
    expect(answer).toMatchObject({ status: 404, errorCode: 2000 });
    expectNothingHappened(answer);
  });

  test('is no bearer token, and a bearer token is no link', async () => {
    expect(await ask(route, { bearer: linkTokens.ann })).toMatchObject({ status: 401, errorCode: 1004 });
    expect(await ask(route, { link: tokens.ann })).toMatchObject({ status: 401, errorCode: 1004 });
  });

  test.each(['', 'a&token=b'])('is refused as %j', async (token) => {
    const url = route.path.replace('{customerID}', ANN).replace('{orderID}', annsOrder.orderId);
    const answer = await app.inject({ method: route.method, url: `${url}?token=${token}` });
    expect(answer.statusCode).toBe(401);
  });
});

describe.each(ofCustomers.filter(({ names }) => names !== 'order'))('a link on $name', (route) => {
  test('opens nothing but its order', async () => {
    expect(await ask(route, { link: linkTokens.ann })).toMatchObject({ status: 401, errorCode: 1004 });
  });
});

describe.each(pages)('$name', (route) => {
  test.each([
    ['no token', undefined],
    ['a link that has ended', 'ended'],
    ['a forged link', 'forged'],
    ["another order's link", 'bob'],
  ] as const)('shows nothing to who has %s', async (_what, link) => {
    const answer = await ask(route, link === undefined ? {} : { link: linkTokens[link] });
    expect(answer.status).toBe(404);
    expect(answer.body).toContain('cannot find this order');
    expectNothingHappened(answer);
  });

  test('does not take a bearer token, which no browser sends by itself', async () => {
    expect((await ask(route, { bearer: tokens.ann })).status).toBe(404);
  });

  test('opens with the link', async () => {
    expect([200, 303]).toContain((await ask(route, { link: linkTokens.ann })).status);
  });

  test("shows nothing with a cookie of another order, or one that isn't signed", async () => {
    for (const token of [linkTokens.bob, linkTokens.forged, linkTokens.ended, tokens.ann]) {
      const answer = await ask(route, { cookie: `order-${annsOrder.orderId}=${token}` });
      expect(answer.status).toBe(404);
      expectNothingHappened(answer);
    }
  });
});

describe.each(ofOperators)('$name', (route) => {
  test.each([
    ['no token', undefined],
    ['a token that has ended', 'ended'],
    ['a forged token', 'forged'],
  ] as const)('answers 1004 to %s', async (_what, token) => {
    const answer = await ask(route, token === undefined ? {} : { bearer: tokens[token] });
    expect(answer).toMatchObject({ status: 401, errorCode: 1004 });
    expectNothingHappened(answer);
  });

  test("answers 1005 to customers, also to the order's own", async () => {
    for (const bearer of [tokens.ann, tokens.bob]) {
      const answer = await ask(route, { bearer });
      expect(answer).toMatchObject({ status: 403, errorCode: 1005 });
      expectNothingHappened(answer);
    }
  });

  test('does not take links', async () => {
    expect(await ask(route, { link: linkTokens.ann })).toMatchObject({ status: 401, errorCode: 1004 });
    expect(await ask(route, { bearer: linkTokens.ann })).toMatchObject({ status: 401, errorCode: 1004 });
  });

  test('lets operators in', async () => {
    for (const bearer of [tokens.operator, OPERATOR_TOKEN]) {
      expect([401, 403]).not.toContain((await ask(route, { bearer })).status);
    }
  });
});

describe('the way back from Stripe', () => {
  const route = pages.find(({ path }) => path === '/payment');
  const back = pages.find(({ path }) => path === '/payment/return');

  test('finds the token in the browser, which had it from the link', async () => {
    const shown = await ask(route!, { link: linkTokens.ann });
    const cookie = String(shown.headers['set-cookie']);
    expect(cookie).toMatch(/^order-a{24}=\S+; Path=\/payment; Max-Age=86400; HttpOnly; SameSite=Lax$/);
    const answer = await ask(back!, { cookie: `other=1; ${cookie.split(';')[0]}` });
    expect(answer.status).toBe(303);
    expect(answer.headers.location).toContain(`&token=${linkTokens.ann}&notice=returned`);
  });

  test('the cookie alone cancels nothing: another site can have a browser send it', async () => {
    const cancel = pages.find(({ path }) => path === '/payment/cancel');
    const answer = await ask(cancel!, { cookie: `order-${annsOrder.orderId}=${linkTokens.ann}` });
    expect(answer.status).toBe(404);
    expectNothingHappened(answer);
  });
});

test('the page asks with its token, and cancels with it', async () => {
  const page = await ask(
    pages.find(({ path }) => path === '/payment')!,
    { link: linkTokens.ann },
  );
  // The page escapes what stands in its attributes, as a browser reads it.
  const urlIn = (attribute: string) =>
    (new RegExp(`${attribute}="(?<url>[^"]+)"`).exec(page.body)?.groups?.['url'] ?? '')
      .replaceAll('&#61;', '=')
      .replaceAll('&amp;', '&')
      .replaceAll('&#38;', '&');
  expect((await app.inject(urlIn('data-status-url'))).statusCode).toBe(200);
  const cancelled = await app.inject({ method: 'POST', url: urlIn('action') });
  expect(cancelled.statusCode).toBe(303);
  expect(cancelled.headers.location).toContain(`token=${linkTokens.ann}`);
  expect(fakes.asked).toMatchObject([{ cancel: annsOrder.orderId }]);
});

describe('behind a gateway that signs customers in', () => {
  const ofGateway = () =>
    createOrdersApp({
      ...fakeDependencies({ orders: [annsOrder] }).dependencies,
      orderLinks: links,
      checks: {},
      requestsPerMinute: 1000,
      trustedProxies: [],
    });
  const orderUrl = `/api/customer/${ANN}/orders/${annsOrder.orderId}`;

  test('requests without a token are trusted, and a token that is there is checked', async () => {
    const gateway = await ofGateway();
    const statusOf = async (url: string) => (await gateway.inject(url)).statusCode;
    expect(await statusOf(orderUrl)).toBe(200);
    expect(await statusOf(`${orderUrl}?token=${linkTokens.ann}`)).toBe(200);
    expect(await statusOf(`${orderUrl}?token=${linkTokens.bob}`)).toBe(404);
    for (const token of [linkTokens.ended, linkTokens.forged, '', 'x', 'a&token=b']) {
      expect([token, await statusOf(`${orderUrl}?token=${token}`)]).toEqual([token, 401]);
    }
    await gateway.close();
  });

  test('pages open with their token alone', async () => {
    const gateway = await ofGateway();
    const page = `/payment?customer-id=${ANN}&order-id=${annsOrder.orderId}`;
    expect((await gateway.inject(page)).statusCode).toBe(404);
    expect((await gateway.inject(`${page}&token=${linkTokens.ann}`)).statusCode).toBe(200);
    await gateway.close();
  });
});

test('what an operator does is asked for in their name', async () => {
  const release = ofOperators.find(({ path }) => path.endsWith('/release'));
  fakes.orders.set(annsOrder.orderId, { ...annsOrder, status: 'PAID' });
  await ask(release!, { bearer: tokens.operator });
  expect(fakes.asked).toEqual([{ release: annsOrder.orderId, operator: 'kim' }]);
  await ask(release!, { bearer: OPERATOR_TOKEN });
  expect(fakes.asked).toEqual([{ release: annsOrder.orderId, operator: 'OPERATOR_TOKEN' }]);
});

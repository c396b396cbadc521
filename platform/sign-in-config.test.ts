import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from './config.ts';
import { requireSignIn } from './sign-in-config.ts';

const LINK_SECRET = 'link-secret-of-32-characters-or-more';
const SHARED_SECRET = 'shared-secret-of-32-characters-or-more';
const COMMON = {
  AUTH_ISSUER: 'https://login.shop.example/',
  AUTH_AUDIENCE: 'https://orders.shop.example',
  ORDER_LINK_SECRET: LINK_SECRET,
};
const PROVIDER = { ...COMMON, AUTH_JWKS_URL: 'https://login.shop.example/.well-known/jwks.json' };
const SHARED = { ...COMMON, AUTH_SHARED_SECRET: SHARED_SECRET };

describe('sign-in', () => {
  test('is off by default, and links are not signed', () => {
    expect(loadConfig({})).toMatchObject({ signIn: undefined, orderLinks: undefined, limits: undefined });
  });

  test('works with the keys of a provider', () => {
    expect(loadConfig(PROVIDER)).toMatchObject({
      signIn: {
        keys: { jwksUrl: PROVIDER.AUTH_JWKS_URL },
        issuer: COMMON.AUTH_ISSUER,
        audience: COMMON.AUTH_AUDIENCE,
        algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
        customerClaim: 'sub',
        operatorScope: 'orders:operate',
      },
      orderLinks: { secrets: [LINK_SECRET], validSeconds: 604_800 },
    });
  });

  test('works with a shared secret, or two while it is being rotated', () => {
    const { signIn } = loadConfig({ ...SHARED, AUTH_SHARED_SECRET: `${SHARED_SECRET},${SHARED_SECRET}-2` });
    expect(signIn).toMatchObject({
      keys: { secrets: [SHARED_SECRET, `${SHARED_SECRET}-2`] },
      algorithms: ['HS256'],
    });
  });

  test.each([
    ['both ways at once', { ...PROVIDER, AUTH_SHARED_SECRET: SHARED_SECRET }, 'AUTH_SHARED_SECRET'],
    ['no issuer', { ...PROVIDER, AUTH_ISSUER: '' }, 'AUTH_ISSUER: not set'],
    ['no audience', { ...SHARED, AUTH_AUDIENCE: '' }, 'AUTH_AUDIENCE: not set'],
    ['no secret for links', { ...PROVIDER, ORDER_LINK_SECRET: '' }, 'ORDER_LINK_SECRET: not set'],
    ['half of it', { AUTH_ISSUER: 'https://login.shop.example/' }, 'AUTH_ISSUER: set, but neither'],
    ['no algorithm at all', { ...PROVIDER, AUTH_ALGORITHMS: 'none' }, 'AUTH_ALGORITHMS'],
    ['an unknown algorithm', { ...PROVIDER, AUTH_ALGORITHMS: 'RS256,XS256' }, 'AUTH_ALGORITHMS'],
    ['a secret algorithm with public keys', { ...PROVIDER, AUTH_ALGORITHMS: 'RS256,HS256' }, 'HS256 is for a shared'],
    ['a public algorithm with a secret', { ...SHARED, AUTH_ALGORITHMS: 'RS256' }, 'RS256 is for a provider'],
    ['a short secret', { ...SHARED, AUTH_SHARED_SECRET: 'too-short' }, 'AUTH_SHARED_SECRET: must have 32'],
    ['a short secret for links', { ...PROVIDER, ORDER_LINK_SECRET: 'short' }, 'ORDER_LINK_SECRET: must have 32'],
    ['one secret for two things', { ...SHARED, AUTH_SHARED_SECRET: LINK_SECRET }, 'the same as another secret'],
    ['the operators token for links', { ...PROVIDER, OPERATOR_TOKEN: LINK_SECRET }, 'the same as another secret'],
    [
      'links that end before the payment window',
      { ...PROVIDER, PAYMENT_WINDOW_SECONDS: '7200', ORDER_LINK_VALID_SECONDS: '3600' },
      'ORDER_LINK_VALID_SECONDS: 3600 is less',
    ],
  ])('is refused with %s', (_what, environment, message) => {
    const load = () => loadConfig(environment);
    expect(load).toThrow(ConfigError);
    expect(load).toThrow(message);
  });

  test('tells no secret in what it says is wrong', () => {
    const load = () => loadConfig({ ...SHARED, AUTH_SHARED_SECRET: LINK_SECRET });
    expect(load).not.toThrow(LINK_SECRET);
  });
});

describe('in production the orders API', () => {
  const production = { NODE_ENV: 'production', STRIPE_SANDBOX_URL: 'http://127.0.0.1:8302' };
  const start = (environment: Record<string, string>) => () =>
    requireSignIn(loadConfig({ ...production, ...environment }));

  test('refuses to start if nobody signs customers in', () => {
    expect(start({})).toThrow(ConfigError);
    expect(start({ OPERATOR_TOKEN: 'an-operators-token' })).toThrow(/AUTH_BY_GATEWAY=true/);
    expect(start({ AUTH_BY_GATEWAY: 'false' })).toThrow(ConfigError);
  });

  test.each([
    ['with a provider', PROVIDER],
    ['with a shared secret', SHARED],
    ['behind a gateway', { AUTH_BY_GATEWAY: 'true' }],
    ['outside of production', { NODE_ENV: 'development' }],
  ])('starts %s', (_how, environment) => {
    expect(start(environment)).not.toThrow();
  });

  test('signs customers in itself if it can, whatever is said of a gateway', () => {
    expect(loadConfig({ ...PROVIDER, AUTH_BY_GATEWAY: 'true' }).signIn).toBeDefined();
  });
});

describe('limits of unpaid orders', () => {
  const ORDER_ID_SECRET = 'order-id-secret-of-32-characters-or-more';

  test('are those that are set', () => {
    const { limits } = loadConfig({
      CUSTOMER_MAX_UNPAID_ORDERS: '5',
      ADDRESS_MAX_UNPAID_PIECES: '50',
      ORDER_ID_SECRET,
    });
    expect(limits).toEqual({ customer: { maxOrders: 5 }, address: { maxPieces: 50 } });
  });

  test('keep no address without a secret', () => {
    expect(() => loadConfig({ ADDRESS_MAX_UNPAID_ORDERS: '5' })).toThrow(/ORDER_ID_SECRET: not set/);
  });

  test.each(['0', '-1', '1.5', 'many'])('are refused as %j', (value) => {
    expect(() => loadConfig({ CUSTOMER_MAX_UNPAID_ORDERS: value })).toThrow(/CUSTOMER_MAX_UNPAID_ORDERS/);
  });
});

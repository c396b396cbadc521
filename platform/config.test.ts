import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from './config.ts';

describe('HOLD_SHIPMENT_FOR', () => {
  test.each([
    { given: undefined, held: ['disputed', 'in_review', 'fraud_warning'] },
    { given: '', held: ['disputed', 'in_review', 'fraud_warning'] },
    { given: 'nothing', held: [] },
    { given: 'part_refunded,disputed,disputed', held: ['disputed', 'part_refunded'] },
  ])('$given holds shipments back for $held', ({ given, held }) => {
    expect(loadConfig({ HOLD_SHIPMENT_FOR: given }).holdShipmentFor).toEqual(held);
  });

  test.each(['everything', 'nothing,disputed', 'disputed,', 'disputed, in_review', 'disputedx'])(
    'is refused as %j, with the words that it takes',
    (given) => {
      const load = () => loadConfig({ HOLD_SHIPMENT_FOR: given });
      expect(load).toThrow(ConfigError);
      expect(load).toThrow(/HOLD_SHIPMENT_FOR: must be `nothing`, or some of disputed, in_review/);
    },
  );
});

describe('STRIPE_RETRY_MAX_SECONDS', () => {
  test.each([
    { given: undefined, ms: 21_600_000 },
    { given: '0.05', ms: 50 },
    { given: '1.1', ms: 1100 },
    { given: '0.0001', ms: 1 },
  ])('$given is $ms ms', ({ given, ms }) => {
    expect(loadConfig({ STRIPE_RETRY_MAX_SECONDS: given }).stripeRetryMaxMs).toBe(ms);
  });

  test.each(['0', '-1', 'soon', '604801'])('is refused as %j', (given) => {
    expect(() => loadConfig({ STRIPE_RETRY_MAX_SECONDS: given })).toThrow(/STRIPE_RETRY_MAX_SECONDS/);
  });
});

describe('SHOP_PAGE', () => {
  const SIGN_IN = {
    AUTH_SHARED_SECRET: 'shared-secret-of-32-characters-or-more',
    AUTH_ISSUER: 'shop',
    AUTH_AUDIENCE: 'orders',
    ORDER_LINK_SECRET: 'link-secret-of-32-characters-or-more',
  };
  const PRODUCTION = { NODE_ENV: 'production', STRIPE_SANDBOX_URL: 'http://127.0.0.1:8302' };

  test.each([
    ['in development', {}, true],
    ['in development, switched off', { SHOP_PAGE: 'false' }, false],
    ['in development with sign-in', SIGN_IN, false],
    ['in production', PRODUCTION, false],
    ['in production, switched on', { ...PRODUCTION, SHOP_PAGE: 'true' }, true],
  ])('%s', (_when, environment, isThere) => {
    expect(loadConfig(environment).shopPage).toBe(isThere);
  });

  test('is no way around sign-in', () => {
    expect(() => loadConfig({ ...SIGN_IN, SHOP_PAGE: 'true' })).toThrow(/SHOP_PAGE: true, but sign-in is on/);
  });
});

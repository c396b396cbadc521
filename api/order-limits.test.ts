import { describe, expect, test } from 'vitest';
import { clientNetwork, orderLimits } from './order-limits.ts';

const SECRET = 'order-id-secret-of-32-characters-or-more';

describe('the network of a client', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:2::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::203.0.113.7', '64:ff9b:0:0::/64'],
    ['unknown', 'unknown'],
  ])('of %s is %s', (ip, network) => {
    expect(clientNetwork(ip)).toBe(network);
  });
});

describe('the limits of an order', () => {
  const config = { customer: { maxOrders: 5 }, address: { maxOrders: 9 } };
  const hashOf = (ip: string, secret = SECRET) => orderLimits(config, { ip, secret })?.address?.hash;

  test('are none without settings', () => {
    expect(orderLimits(undefined, { ip: '203.0.113.7', secret: undefined })).toBeUndefined();
    const off = { customer: undefined, address: undefined };
    expect(orderLimits(off, { ip: '203.0.113.7', secret: undefined })).toBeUndefined();
  });

  test('need no secret without a limit for addresses', () => {
    const customerOnly = { ...config, address: undefined };
    expect(orderLimits(customerOnly, { ip: '203.0.113.7', secret: undefined })).toEqual({ customer: { maxOrders: 5 } });
  });

  test('know an address again without telling it', () => {
    expect(orderLimits(config, { ip: '203.0.113.7', secret: SECRET })).toEqual({
      customer: { maxOrders: 5 },
      address: { maxOrders: 9, hash: expect.stringMatching(/^[0-9a-f]{32}$/) },
    });
    expect(hashOf('203.0.113.7')).toBe(hashOf('::ffff:203.0.113.7'));
    expect(hashOf('203.0.113.7')).not.toBe(hashOf('203.0.113.8'));
    expect(hashOf('203.0.113.7')).not.toBe(hashOf('203.0.113.7', `${SECRET}-2`));
  });
});

import { isIPv6 } from 'node:net';
import type { OrderLimits } from '../contracts/messages.ts';
import type { LimitsConfig } from '../platform/limits-config.ts';
import { must } from '../domain/must.ts';
import { keyedHash } from './order-id.ts';

/**
 * Returns the limits for an order's stock hold; undefined if there are none.
 *
 * @param ip the client's address, which is only kept as a hash
 * @param secret keys the hash
 */
export function orderLimits(
  config: LimitsConfig | undefined,
  { ip, secret }: { readonly ip: string; readonly secret: string | undefined },
): OrderLimits | undefined {
  if (config === undefined) return undefined;
  const { customer, address } = config;
  if (customer === undefined && address === undefined) return undefined;
  return {
    ...(customer !== undefined && { customer }),
    ...(address !== undefined && { address: { ...address, hash: addressHash(ip, must(secret, 'ORDER_ID_SECRET')) } }),
  };
}

function addressHash(ip: string, secret: string): string {
  return keyedHash(['client-address', clientNetwork(ip)], secret).slice(0, 32);
}

/**
 * Returns the part of an address that a client can't change: an IPv4 address, also if it is mapped to IPv6, or the
 * first 64 bits of an IPv6 address, since a client can use any address below them.
 */
export function clientNetwork(ip: string): string {
  const address = ip.replace(/%.*$/, '');
  if (!isIPv6(address)) return ip;
  const mapped = /^::ffff:(?<ipv4>\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.groups?.['ipv4'];
  if (mapped !== undefined) return mapped;
  const [head = '', tail] = address.toLowerCase().split('::');
  const groupsOf = (text: string) => (text === '' ? [] : text.split(':'));
  const [first, last] = [groupsOf(head), groupsOf(tail ?? '')];
  // An IPv4 part at the end stands for two groups.
  const length = first.length + last.length + (address.includes('.') ? 1 : 0);
  const groups = tail === undefined ? first : [...first, ...Array.from({ length: 8 - length }, () => '0'), ...last];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

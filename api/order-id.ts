import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { RequestedLine } from '../domain/order-lines.ts';

const ORDER_ID_BYTES = 12;

/** Returns a random order id, for a create without an idempotency key: 24 hexadecimal digits. */
export function randomOrderId(): string {
  return randomBytes(ORDER_ID_BYTES).toString('hex');
}

/**
 * Returns the order id of a customer's idempotency key, the same each time: 24 hexadecimal digits.
 * Two customers who use the same key have different orders.
 *
 * @param secret without it, anybody who guesses a key knows the id
 */
export function orderIdOfKey(customerId: string, idempotencyKey: string, secret?: string): string {
  // JSON keeps the two apart: no other customer and key lead to the same text.
  const key = ['order-id', customerId, idempotencyKey];
  return (secret === undefined ? sha256(key) : keyedHash(key, secret)).slice(0, ORDER_ID_BYTES * 2);
}

/**
 * Returns the id of the refund that an idempotency key stands for, the same each time; each order has keys of its own.
 * Ids of refunds look like those of orders.
 */
export function refundIdOfKey(orderId: string, idempotencyKey: string): string {
  return sha256(['refund-id', orderId, idempotencyKey]).slice(0, ORDER_ID_BYTES * 2);
}

/** Returns the HMAC of a value, in hexadecimal digits; without the secret, the value can't be found by trying. */
export function keyedHash(value: unknown, secret: string): string {
  return createHmac('sha256', secret).update(JSON.stringify(value)).digest('hex');
}

/**
 * Returns the hash that identifies a request under an idempotency key. It covers what is ordered, not the JSON: white
 * space, the order of the lines and how an item's quantity is spread over lines make no difference.
 *
 * @param lines one for each item
 */
export function requestHash(customerId: string, lines: readonly RequestedLine[]): string {
  const sorted = lines
    .map(({ itemId, quantity }) => [itemId, quantity] as const)
    .sort(([left], [right]) => (left < right ? -1 : 1));
  return sha256(['create', customerId, sorted]);
}

function sha256(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

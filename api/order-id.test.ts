import { describe, expect, test } from 'vitest';
import { orderIdOfKey, randomOrderId, requestHash } from './order-id.ts';

describe('order ids', () => {
  test('are 24 hexadecimal digits', () => {
    expect(randomOrderId()).toMatch(/^[0-9a-f]{24}$/);
    expect(orderIdOfKey('customer', 'key')).toMatch(/^[0-9a-f]{24}$/);
  });

  test('are new each time without a key', () => {
    expect(new Set(Array.from({ length: 1000 }, randomOrderId)).size).toBe(1000);
  });

  test('are the same each time with a key, and no two customers and keys share one', () => {
    expect(orderIdOfKey('a', 'b')).toBe(orderIdOfKey('a', 'b'));
    const pairs = [
      ['a', 'bc'],
      ['ab', 'c'],
      ['abc', ''],
      ['a","b', 'c'],
      ['a', 'b","c'],
      ['a:b', 'c'],
      ['a', 'b:c'],
    ] as const;
    expect(new Set(pairs.map(([customer, key]) => orderIdOfKey(customer, key))).size).toBe(pairs.length);
  });
});

describe('order ids with a secret', () => {
  const SECRET = 'order-id-secret-of-32-characters-or-more';

  test('are the same each time, and not those that anybody can work out', () => {
    const id = orderIdOfKey('customer', 'key', SECRET);
    expect(id).toMatch(/^[0-9a-f]{24}$/);
    expect(orderIdOfKey('customer', 'key', SECRET)).toBe(id);
    expect(orderIdOfKey('customer', 'key')).not.toBe(id);
    expect(orderIdOfKey('customer', 'key', `${SECRET}-2`)).not.toBe(id);
    expect(orderIdOfKey('customer', 'key-2', SECRET)).not.toBe(id);
  });
});

describe('the hash of a request', () => {
  const pencil = { itemId: 'pencil', quantity: 2 };
  const book = { itemId: 'book', quantity: 1 };

  test('is of what is asked for, not of the order in which it is', () => {
    expect(requestHash('a', [pencil, book])).toBe(requestHash('a', [book, pencil]));
  });

  test('differs with the customer, an item and a quantity', () => {
    const hashes = [
      requestHash('a', [pencil]),
      requestHash('b', [pencil]),
      requestHash('a', [book]),
      requestHash('a', [{ ...pencil, quantity: 3 }]),
      requestHash('a', [pencil, book]),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

import { expect, test } from 'vitest';
import { pauseAfter } from './refund.ts';

test('pauses begin with a second, double, and never pass the longest', () => {
  expect([1, 2, 3, 4, 5].map((attempts) => pauseAfter(attempts, 10_000))).toEqual([1000, 2000, 4000, 8000, 10_000]);
  expect(pauseAfter(100_000, 6 * 3_600_000), 'after years').toBe(6 * 3_600_000);
});

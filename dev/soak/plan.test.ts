import { expect, test } from 'vitest';
import { kinds, planFaults } from './plan.ts';

const MINUTE_MS = 60_000;

test('the same seed makes the same plan, another one another', () => {
  expect(planFaults(7, 8 * MINUTE_MS)).toEqual(planFaults(7, 8 * MINUTE_MS));
  expect(planFaults(7, 8 * MINUTE_MS)).not.toEqual(planFaults(8, 8 * MINUTE_MS));
});

test.each([1.5, 3, 8])('%s minutes have every kind, and end in time', (minutes) => {
  for (let seed = 1; seed <= 50; seed += 1) {
    const plan = planFaults(seed, minutes * MINUTE_MS);
    expect(new Set(plan.map(({ kind }) => kind))).toEqual(new Set(Object.keys(kinds)));
    expect(plan.every(({ atMs, holdMs }) => atMs + holdMs <= minutes * MINUTE_MS)).toBe(true);
  }
});

test('what the machine cannot do is not planned', () => {
  expect(planFaults(1, 8 * MINUTE_MS, new Set(['diskFull'])).map(({ kind }) => kind)).not.toContain('diskFull');
});

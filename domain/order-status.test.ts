import { expect, test } from 'vitest';
import { canTransition, isTerminal, orderStatuses, transitionEvent, transitions } from './order-status.ts';

test('every status is reached from the beginning, and FINISHED is left only by a refund', () => {
  const reached = new Set<string>(['PENDING']);
  for (const _round of orderStatuses) {
    for (const { from, to } of transitions) if (from !== undefined && reached.has(from)) reached.add(to);
  }
  expect([...reached].sort()).toEqual([...orderStatuses].sort());
  expect(transitions.filter(({ from }) => from === 'FINISHED').map(({ to }) => to)).toEqual(['REFUNDED']);
});

test('what has ended stays so, but for the refund of a finished order', () => {
  for (const from of orderStatuses.filter(isTerminal)) {
    for (const to of orderStatuses) {
      expect(canTransition(from, to), `${from} → ${to}`).toBe(from === 'FINISHED' && to === 'REFUNDED');
    }
  }
});

test.each([
  ['PENDING', 'PAID'],
  ['PENDING', 'EXPIRED'],
  ['PAID', 'CANCELLED'],
  ['PAID', 'WAITING_FOR_PAYMENT'],
  ['WAITING_FOR_PAYMENT', 'FINISHED'],
  ['EXPIRED', 'PAID'],
  [undefined, 'PAID'],
] as const)('%s does not become %s', (from, to) => {
  expect(canTransition(from, to)).toBe(false);
});

test('each status has one event, and each event one status', () => {
  const events = orderStatuses.map(transitionEvent);
  expect(new Set(events).size).toBe(orderStatuses.length);
  for (const { to, event } of transitions) expect(transitionEvent(to)).toBe(event);
});

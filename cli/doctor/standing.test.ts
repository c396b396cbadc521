import { expect, test } from 'vitest';
import type { OrderStatus } from '../../domain/order-status.ts';
import { type OrderRun, type Standing, standingOf } from './standing.ts';

type Case = readonly [row: OrderStatus | undefined, says: OrderRun['says'], status: string, standing: Standing];

const CASES: readonly Case[] = [
  // Nothing was restored.
  ['WAITING_FOR_PAYMENT', 'WAITING_FOR_PAYMENT', 'RUNNING', 'inStep'],
  ['FINISHED', 'FINISHED', 'COMPLETED', 'inStep'],
  ['REFUNDED', 'FINISHED', 'COMPLETED', 'inStep'],
  [undefined, 'REFUSED', 'COMPLETED', 'inStep'],
  ['FINISHED', 'REFUSED', 'COMPLETED', 'inStep'],
  [undefined, 'PENDING', 'RUNNING', 'notWritten'],
  ['PAID', 'PAID', 'TERMINATED', 'inStep'],
  // PostgreSQL was restored.
  [undefined, 'PENDING', 'TERMINATED', 'notWritten'],
  [undefined, 'WAITING_FOR_PAYMENT', 'RUNNING', 'rowBehind'],
  [undefined, 'EXPIRED', 'COMPLETED', 'rowBehind'],
  ['PENDING', 'PAID', 'RUNNING', 'rowBehind'],
  ['WAITING_FOR_PAYMENT', 'FINISHED', 'COMPLETED', 'rowBehind'],
  ['PAID', 'REFUNDED', 'COMPLETED', 'rowBehind'],
  ['WAITING_FOR_PAYMENT', 'PAID', 'TERMINATED', 'rowBehind'],
  // Temporal was restored.
  ['WAITING_FOR_PAYMENT', 'PENDING', 'RUNNING', 'inStep'],
  ['PAID', 'WAITING_FOR_PAYMENT', 'RUNNING', 'workflowBehind'],
  ['FINISHED', 'WAITING_FOR_PAYMENT', 'RUNNING', 'workflowBehind'],
  ['CANCELLED', 'PENDING', 'RUNNING', 'workflowBehind'],
  ['CANCELLED', 'WAITING_FOR_PAYMENT', 'TERMINATED', 'inStep'],
  // Both were, and each went on its own way.
  ['CANCELLED', 'FINISHED', 'COMPLETED', 'apart'],
  ['EXPIRED', 'CANCELLED', 'COMPLETED', 'apart'],
  ['CANCELLED', 'PAID', 'RUNNING', 'workflowBehind'],
];

test.each(CASES)('a row that says %s and a workflow that says %s and is %s are %s', (row, says, status, standing) => {
  expect(standingOf(row, { runId: 'run', status, says })).toBe(standing);
});

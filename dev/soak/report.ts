import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { median, percentile } from '../bench/measure.ts';
import { findOrder } from '../../database/orders.ts';
import type { Outcome } from './soak.ts';
import { kinds, type Kind } from './plan.ts';
import type { SoakStack } from './stack.ts';

/** How many violations are told with all that is known of their orders. */
const MAX_EXPLAINED = 5;
const MAX_LISTED = 15;
const LOG_LINES = 8;

/** Says in some fifty lines what happened in a run, and whether it counts. */
export function reportOf(outcome: Outcome): string[] {
  const { seed, minutes, fired, failed, impossible, human, ends, created, recoveriesMs, calmMs, violations } = outcome;
  const orders = [...ends.values()].reduce((sum, count) => sum + count, 0);
  return [
    `Soak of ${minutes} minutes, seed ${seed}: ${outcome.failures.length === 0 ? 'all held' : 'FAILED'}`,
    ...outcome.failures.map((failure) => `  ${failure}`),
    'Faults that fired:',
    ...(Object.keys(kinds) as Kind[]).map((kind) => {
      const count = fired.get(kind) ?? 0;
      const lacking = impossible.get(kind);
      return `  ${String(count).padStart(3)} × ${kinds[kind].what}${lacking === undefined ? '' : ` — not on this machine: ${lacking}`}`;
    }),
    ...[...human].map(([kind, count]) => `  ${String(count).padStart(3)} × ${HUMAN[kind]}`),
    ...[...failed].map(([kind, why]) => `  did not fire at one time: ${kind}: ${why}`),
    `Orders: ${orders}: ${[...ends].map(([status, count]) => `${count} ${status}`).join(', ')}`,
    `Creates: ${created.length} answered; p50 ${seconds(percentile(msOf(created), 50))}, p95 ${seconds(percentile(msOf(created), 95))}, ` +
      `longest ${seconds(Math.max(...msOf(created)))}; asked ${Math.max(...created.map(({ tries }) => tries))} times at most`,
    `Back after a death (median, longest of so many): ${[...recoveriesMs]
      .map(([part, all]) => `${part} ${seconds(median(all))}, ${seconds(Math.max(...all))} of ${all.length}`)
      .join('; ')}`,
    calmMs === undefined ? 'Some orders never ended.' : `All orders had ended ${seconds(calmMs)} after the last fault.`,
    `Violations: ${violations.length}`,
    ...violations.slice(0, MAX_LISTED).map((violation) => `  ${violation.slice(0, 400)}`),
  ];
}

const HUMAN = {
  paymentAgainstCancel: 'a payment against a cancel, ±50 ms',
  paymentAgainstExpiry: 'a payment against the end of its window, ±50 ms',
  dashboard: 'people at the dashboard: refunds, disputes, reviews, warnings, operators',
} as const;

function msOf(created: Outcome['created']): number[] {
  return created.map(({ tookMs }) => tookMs);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Tells of the orders of the first violations: timeline, history and logs beside each other. */
export async function explain(stack: SoakStack, violations: readonly string[]): Promise<string[]> {
  const orderIds = [...new Set(violations.flatMap((violation) => /\b[0-9a-f]{24}\b/.exec(violation)?.[0] ?? []))];
  const lines: string[] = [];
  for (const orderId of orderIds.slice(0, MAX_EXPLAINED)) {
    const order = await findOrder(stack.database, orderId);
    lines.push(`Order ${orderId}: ${order?.status ?? 'no row'}`, '  timeline:');
    for (const { at, event, detail } of order?.timeline ?? [])
      lines.push(`    ${at.toISOString()} ${event}: ${detail}`);
    lines.push('  history:', `    ${await historyOf(stack, orderId)}`, '  logs:');
    for (const line of logLines(stack.state.file('logs'), orderId)) lines.push(`    ${line}`);
  }
  return lines;
}

async function historyOf({ client }: SoakStack, orderId: string): Promise<string> {
  try {
    const { events = [] } = (await client.workflow.getHandle(orderId).fetchHistory()) as {
      events?: Record<string, unknown>[];
    };
    const names = events.map((event) => {
      const attributes = Object.keys(event).find((key) => key.endsWith('EventAttributes'));
      const { activityType } = (event[attributes ?? ''] ?? {}) as { activityType?: { name?: string } };
      return `${attributes?.replace('EventAttributes', '')}${activityType?.name === undefined ? '' : `(${activityType.name})`}`;
    });
    return names.filter((name) => !/^workflowTask(Scheduled|Started|Completed)/.test(name)).join(' → ');
  } catch (error) {
    return String(error);
  }
}

function logLines(folder: string, orderId: string): string[] {
  return readdirSync(folder).flatMap((name) =>
    readFileSync(join(folder, name), 'utf8')
      .split('\n')
      .filter((line) => line.includes(orderId))
      .slice(-LOG_LINES)
      .map((line) => `${name}: ${line.slice(0, 300)}`),
  );
}

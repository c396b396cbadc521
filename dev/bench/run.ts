import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import process, { stderr, stdout } from 'node:process';
import { StackError } from '../stack/stack-error.ts';
import { BARE_TASK_QUEUE } from './bare/task-queue.ts';
import { median, medianLatencyMs, throughput } from './measure.ts';
import { createOrders } from './orders.ts';
import { type BenchStack, startBenchStack } from './stack.ts';

const ROUNDS = 3;
const LATENCIES = 50;
const CLIENTS = 50;
const ORDERS_A_ROUND = 300;

/** Rounds are repeated and taken in turns, so that whatever else the machine does falls on both sides. */
type Round = {
  readonly createMs: number;
  readonly bareMs: number;
  readonly createsPerSecond: number;
  readonly ordersPerSecond: number;
  readonly barePerSecond: number;
};

let stack: BenchStack | undefined;
let brokenOff = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    brokenOff = true;
    stderr.write('Broken off\n');
    void (stack?.stop() ?? Promise.resolve()).finally(() => process.exit(1));
  });
}
try {
  stack = await startBenchStack();
  stdout.write(table(await measure(stack)));
} catch (error) {
  process.exitCode = 1;
  const isExpected = error instanceof StackError || !(error instanceof Error);
  if (!brokenOff) stderr.write(`${isExpected ? String(error) : error.stack}\n`);
} finally {
  await stack?.stop();
}

async function measure(running: BenchStack): Promise<Round[]> {
  const orders = createOrders(running);
  const bare = async (): Promise<void> => {
    await running.client.workflow.execute('bareOrder', {
      taskQueue: BARE_TASK_QUEUE,
      workflowId: `bare-${randomUUID()}`,
    });
  };
  stderr.write('Warming up\n');
  await throughput(CLIENTS, CLIENTS * 2, () => orders.complete());
  await throughput(CLIENTS, CLIENTS * 2, bare);
  const rounds: Round[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    stderr.write(`Round ${round} of ${ROUNDS}\n`);
    const createMs = await medianLatencyMs(LATENCIES, async () => {
      const startedAt = performance.now();
      const orderId = await orders.create();
      const tookMs = performance.now() - startedAt;
      // The payment link is made after the answer, and is no part of the next create.
      await orders.untilStatus(orderId, 'WAITING_FOR_PAYMENT');
      return tookMs;
    });
    const bareMs = await medianLatencyMs(LATENCIES, async () => {
      const startedAt = performance.now();
      await bare();
      return performance.now() - startedAt;
    });
    const ordersPerSecond = await throughput(CLIENTS, ORDERS_A_ROUND, () => orders.complete());
    const barePerSecond = await throughput(CLIENTS, ORDERS_A_ROUND, bare);
    const created: string[] = [];
    const createsPerSecond = await throughput(CLIENTS, ORDERS_A_ROUND, async () => created.push(await orders.create()));
    await Promise.all(created.map((orderId) => orders.untilStatus(orderId, 'WAITING_FOR_PAYMENT')));
    stderr.write(`  ${JSON.stringify({ createMs, bareMs, createsPerSecond, ordersPerSecond, barePerSecond })}\n`);
    rounds.push({ createMs, bareMs, createsPerSecond, ordersPerSecond, barePerSecond });
  }
  return rounds;
}

function table(rounds: readonly Round[]): string {
  const middle = (key: keyof Round): number => median(rounds.map((round) => round[key]));
  const each = (key: keyof Round): string => rounds.map((round) => round[key].toFixed(1)).join(' · ');
  const row = (name: string, unit: string, ours: keyof Round, bare: keyof Round): string[] => [
    name,
    `${middle(ours).toFixed(1)} ${unit}`,
    `${middle(bare).toFixed(1)} ${unit}`,
    `${(middle(ours) / middle(bare)).toFixed(2)} ×`,
    each(ours),
    each(bare),
  ];
  const rows = [
    ['', 'order', 'bare', 'order / bare', 'order, each round', 'bare, each round'],
    row(`create, 1 client, median of ${LATENCIES}`, 'ms', 'createMs', 'bareMs'),
    row(`create to FINISHED, ${CLIENTS} clients`, '/s', 'ordersPerSecond', 'barePerSecond'),
    row(`creates alone, ${CLIENTS} clients`, '/s', 'createsPerSecond', 'barePerSecond'),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0))) ?? [];
  const lines = rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `Medians of ${ROUNDS} rounds on ${availableParallelism()} cores, Node ${process.versions.node}\n${lines.join('\n')}\n`;
}

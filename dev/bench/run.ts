import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import process, { stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { PROJECT_FOLDER } from '../../platform/project.ts';
import { StackError } from '../stack/stack-error.ts';
import { createMeasurement, type Figure } from './figures.ts';
import { type BenchStack, startBenchStack } from './stack.ts';
import { table } from './table.ts';

const USAGE = `npm run bench -- [--compare <checkout>] [--rounds 3] [--orders 300] [--waiting 2000] [--json]

  --compare  measures the product in another folder too, in turns with this one; its packages must be installed
  --rounds   how often each thing is measured; the table has the medians
  --orders   orders of a round, for what is counted by the second and for CPU time
  --waiting  orders that wait for their payment when memory is measured, at the end
  --json     prints all figures as JSON
`;

const stacks: BenchStack[] = [];
let brokenOff = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    brokenOff = true;
    stderr.write('Broken off\n');
    void stopAll().finally(() => process.exit(1));
  });
}
try {
  const options = readOptions();
  for (const checkout of options.checkouts) stacks.push(await startBenchStack(checkout));
  const figures = await measure(options);
  const machine = { cores: availableParallelism(), node: process.versions.node, rounds: options.rounds };
  const versions = stacks.map(({ checkout }, index) => ({ checkout, figures: figures[index] ?? [] }));
  stdout.write(options.json ? `${JSON.stringify({ ...machine, versions }, null, 2)}\n` : table(machine, versions));
} catch (error) {
  process.exitCode = 1;
  const isExpected = error instanceof StackError || !(error instanceof Error);
  if (!brokenOff) stderr.write(`${isExpected ? String(error) : error.stack}\n`);
} finally {
  await stopAll();
}

async function stopAll(): Promise<void> {
  for (const stack of stacks) await stack.stop();
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        compare: { type: 'string' },
        rounds: { type: 'string', default: '3' },
        orders: { type: 'string', default: '300' },
        waiting: { type: 'string', default: '2000' },
        json: { type: 'boolean', default: false },
      },
    });
    const { compare, json } = values;
    const [rounds, orders, waiting] = [Number(values.rounds), Number(values.orders), Number(values.waiting)];
    if (![rounds, orders, waiting].every((count) => Number.isInteger(count) && count > 0)) {
      throw new StackError('--rounds, --orders and --waiting are whole numbers above 0');
    }
    const checkouts = [PROJECT_FOLDER, ...(compare === undefined ? [] : [resolve(compare)])];
    return { checkouts, rounds, orders, waiting, json };
  } catch (error) {
    throw new StackError(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  }
}

/** Rounds are repeated and taken in turns, so that whatever else the machine does falls on all sides. */
async function measure({ rounds, orders, waiting }: ReturnType<typeof readOptions>): Promise<Figure[][][]> {
  const measurements = stacks.map((stack) => createMeasurement(stack, orders));
  const figures: Figure[][][] = measurements.map(() => []);
  stderr.write('Warming up\n');
  for (const measurement of measurements) await measurement.warmUp();
  for (let round = 1; round <= rounds; round += 1) {
    stderr.write(`Round ${round} of ${rounds}\n`);
    for (const [index, measurement] of measurements.entries()) figures[index]?.push(await measurement.round());
  }
  for (const [index, measurement] of measurements.entries()) figures[index]?.push(await measurement.once(waiting));
  return figures;
}

import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import process, { stdout } from 'node:process';
import { parseArgs, promisify } from 'node:util';
import { checkApplies, copyProject, mutate } from '../scripts/mutated-copy.ts';

/*
 * `npm run soak:planted`: plants a bug of each kind, one at a time, and shows that a soak of three minutes finds it. Works
 * on copies; the checkout stays as it is.
 */

type PlantedBug = {
  readonly name: string;
  /** What the report has to say of it. */
  readonly found: RegExp;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
};

const BUGS: readonly PlantedBug[] = [
  {
    name: 'I1: the stock of an order that was cancelled or has expired is not given back',
    found: /I1: order \w+ is (CANCELLED|EXPIRED), but its reservation is held/,
    file: 'workflows/order/collect-payment.ts',
    find: "        case 'end':\n          await order.giveBackStock();",
    replace: "        case 'end':",
  },
  {
    name: 'I2: a payment that comes after the end is kept',
    found: /I2: order \w+ is (CANCELLED|EXPIRED) with \d charges that were not given back/,
    file: 'workflows/payment-aftercare.ts',
    find: "if (action.do === 'return') await",
    replace: "if (action.do === 'return' && Date.now() < 0) await",
  },
  {
    name: 'I4: the end of the payment window is forgotten',
    found: /some orders never came to an end/,
    file: 'workflows/order/collect-payment.ts',
    find: '      () => this.#order.inbox.push({ kind }),',
    replace: "      () => kind === 'checkDue' && this.#order.inbox.push({ kind }),",
  },
  {
    name: 'I8: goods leave although their money has gone back',
    found: /I8: order \w+ (was told of|was shipped more than)/,
    file: 'workflows/order/deliver.ts',
    find: '    if (wayBack !== undefined) return { wayBack };',
    replace: '    if (wayBack !== undefined && Date.now() < 0) return { wayBack };',
  },
];

const run = promisify(execFile);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: 'string', default: '3' }, seed: { type: 'string', default: '1' } },
});

const chosen = BUGS.filter(({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)));
for (const bug of chosen) checkApplies(bug);
let missed = 0;
for (const { found, ...bug } of chosen) {
  const report = await soakWith(bug);
  const line = report.split('\n').find((text) => found.test(text));
  if (line === undefined) missed += 1;
  stdout.write(`${bug.name}\n  ${line === undefined ? `NOT FOUND:\n${report}` : line.trim().slice(0, 200)}\n`);
}
stdout.write(`${chosen.length - missed} of ${chosen.length} found within ${values.minutes} minutes\n`);
process.exitCode = missed === 0 ? 0 : 1;

async function soakWith(bug: Omit<PlantedBug, 'found'>): Promise<string> {
  const copy = await copyProject();
  try {
    mutate(copy, bug);
    const args = ['--import', 'tsx', join(copy, 'dev/soak/run.ts'), '--minutes', values.minutes, '--seed', values.seed];
    const { stdout: report } = await run(process.execPath, args, { cwd: copy, maxBuffer: 64 * 1024 * 1024 }).catch(
      // A run that fails is what is hoped for.
      (error: { readonly stdout: string }) => error,
    );
    return report;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

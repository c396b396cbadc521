import process, { stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import type { Reporter } from '../stack/stack-error.ts';
import { reportOf } from './report.ts';
import { soak } from './soak.ts';

/*
 * `npm run soak -- --minutes 8 --seed 7`: every fault at random moments, while customers order. The report goes to the
 * standard output, what happens meanwhile to the standard error. The exit code is 0 if all held.
 */

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '8' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const beganAt = Date.now();
const tell = (message: string): void => {
  stderr.write(`${((Date.now() - beganAt) / 1000).toFixed(0).padStart(4)} s  ${message}\n`);
};
const log: Reporter = { up: (name) => tell(`up: ${name}`), progress: tell, warn: tell };

const outcome = await soak({ seed: Number(values.seed), minutes: Number(values.minutes) }, log);
stdout.write(`${[...reportOf(outcome), ...outcome.explanation].join('\n')}\n`);
process.exit(outcome.failures.length === 0 ? 0 : 1);

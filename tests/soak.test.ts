import { expect, test } from 'vitest';
import { reportOf } from '../dev/soak/report.ts';
import { soak } from '../dev/soak/soak.ts';
import { seed } from './support/rounds.ts';

/** The faults of one round; `npm run soak` goes on for longer, and `npm run soak:planted` shows that it finds bugs. */
const MINUTES = 1.5;
/** To bring everything up, and to let it come to rest and look at it; on a machine that does other things too. */
const TIMEOUT_MS = 15 * 60_000;

test(
  'nothing is lost and nobody is charged twice while every part of the running system dies and Stripe fails',
  async () => {
    const silent = { up: () => undefined, progress: () => undefined, warn: () => undefined };
    const outcome = await soak({ seed, minutes: MINUTES }, silent);
    console.info([...reportOf(outcome), ...outcome.explanation].join('\n'));
    expect([...outcome.failures, ...outcome.violations]).toEqual([]);
  },
  TIMEOUT_MS,
);

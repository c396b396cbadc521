import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take longest, most of it waiting for time limits of the product: a late start of one ends the run late. */
const SLOWEST = [
  'tests/reconciliation.test.ts',
  'tests/create-deadline.test.ts',
  'tests/money-that-goes-back.test.ts',
  'tests/crash.test.ts',
  'tests/long-refunds.test.ts',
  'tests/temporal-tls.test.ts',
  'tests/cli.test.ts',
  'tests/stripe-faults.test.ts',
  'tests/production-build.test.ts',
  'tests/doctor.test.ts',
  'tests/aftercare.test.ts',
  'tests/fuzz.test.ts',
];

/** Runs the slowest files first, in this order; the others follow in vitest's own. */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { root } = this.ctx.config;
    const gone = SLOWEST.filter((name) => !existsSync(join(root, name)));
    if (gone.length > 0) throw new Error(`tests/slowest-first.ts names files that do not exist: ${gone.join(', ')}`);
    const place = ({ moduleId }: TestSpecification): number => {
      const index = SLOWEST.findIndex((name) => moduleId === join(root, name));
      return index === -1 ? SLOWEST.length : index;
    };
    return (await super.sort(files)).toSorted((one, other) => place(one) - place(other));
  }
}

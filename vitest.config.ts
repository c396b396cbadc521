import { defineConfig } from 'vitest/config';
import { CountReporter } from './tests/count-reporter.ts';
import { SlowestFirst } from './tests/slowest-first.ts';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**', '.state/**'],
    globalSetup: ['tests/global-setup.ts'],
    pool: 'forks',
    // One more than the two cores that CI has: many files wait for timers, retries and time limits most of the time.
    maxWorkers: 3,
    sequence: { sequencer: SlowestFirst },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    reporters: ['default', new CountReporter()],
  },
});

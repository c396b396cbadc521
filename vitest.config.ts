import { defineConfig } from 'vitest/config';
import { CountReporter } from './tests/count-reporter.ts';
import { SlowestFirst } from './tests/slowest-first.ts';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**', '.state/**'],
    globalSetup: ['tests/global-setup.ts'],
    pool: 'forks',
    // As many as CI has cores. With one more the run is a third shorter, and deadlines of the product pass in the rushes.
    maxWorkers: 2,
    sequence: { sequencer: SlowestFirst },
    testTimeout: 90_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    reporters: ['default', new CountReporter()],
  },
});

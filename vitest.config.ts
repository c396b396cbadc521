import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { CountReporter } from './tests/count-reporter.ts';
import { SlowestFirst } from './tests/slowest-first.ts';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**', '.state/**'],
    globalSetup: ['tests/global-setup.ts'],
    pool: 'forks',
    // Files share their process and the modules that it has loaded, which takes a fifth of the CPU time away. What a file
    // changes in its process (environment, clock, globals) it undoes.
    isolate: false,
    // With more files than cores, time limits of the product pass in the rushes.
    maxWorkers: Math.min(availableParallelism(), 3),
    sequence: { sequencer: SlowestFirst },
    testTimeout: 90_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    reporters: ['default', new CountReporter()],
  },
});

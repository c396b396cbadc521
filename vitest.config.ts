import { defineConfig } from 'vitest/config';
import { CountReporter } from './tests/count-reporter.ts';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**', '.state/**'],
    globalSetup: ['tests/global-setup.ts'],
    pool: 'forks',
    // Each file may run a Temporal worker and a browser besides the two servers: more at once only get slower.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    reporters: ['default', new CountReporter()],
  },
});

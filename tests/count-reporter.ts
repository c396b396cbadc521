import { stdout } from 'node:process';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** Ends a run with its ten slowest tests and one line that people and CI read alike: `N passed, N failed, N skipped`. */
export class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    stdout.write(`\nThe slowest tests:\n${slowest(tests).join('\n')}\n`);
    const states = tests.map((test) => test.result().state);
    const count = (...wanted: string[]): number => states.filter((state) => wanted.includes(state)).length;
    // A file that doesn't load has no tests that could fail, and an error outside of all tests is nobody's: each counts.
    const brokenFiles = modules.filter((module) => module.errors().length > 0).length;
    const failed = count('failed') + brokenFiles + unhandledErrors.length;
    stdout.write(`\n${count('passed')} passed, ${failed} failed, ${count('skipped', 'pending')} skipped\n`);
  }
}

/** Names the ten tests that took longest, with their seconds. */
function slowest(tests: readonly TestCase[]): string[] {
  return tests
    .map((test) => ({ test, ms: test.diagnostic()?.duration ?? 0 }))
    .sort((one, other) => other.ms - one.ms)
    .slice(0, 10)
    .map(
      ({ test, ms }) => `${(ms / 1000).toFixed(1).padStart(6)} s  ${test.module.relativeModuleId}: ${test.fullName}`,
    );
}

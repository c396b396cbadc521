import { stdout } from 'node:process';
import type { Reporter, TestModule } from 'vitest/node';

/** Ends a run with one line that people and CI read alike: `N passed, N failed, N skipped`. */
export class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const count = (...wanted: string[]): number => states.filter((state) => wanted.includes(state)).length;
    // A file that doesn't load has no tests that could fail, and an error outside of all tests is nobody's: each counts.
    const brokenFiles = modules.filter((module) => module.errors().length > 0).length;
    const failed = count('failed') + brokenFiles + unhandledErrors.length;
    stdout.write(`\n${count('passed')} passed, ${failed} failed, ${count('skipped', 'pending')} skipped\n`);
  }
}

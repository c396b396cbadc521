import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process, { stdout } from 'node:process';
import { promisify } from 'node:util';
import { type Mutation, mutations } from './mutation-table.ts';
import { checkApplies, copyProject, mutate } from './mutated-copy.ts';

/*
 * `npm run mutations`: takes away what keeps money and goods safe, one thing at a time, and shows which test notices. A
 * mutation that no test notices is a missing test. Works on copies; the checkout stays as it is.
 */

const run = promisify(execFile);
const PROJECT = join(import.meta.dirname, '..', '..');
/** A mutated order may wait for something that never comes; its test then ends by its own time limit. */
const TEST_RUN_TIMEOUT_MS = 600_000;

type Report = {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
};

async function runTests(copy: string, tests: readonly string[]): Promise<Report> {
  const output = join(copy, 'mutation-report.json');
  const vitest = join(PROJECT, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--reporter=json', `--outputFile=${output}`, ...tests];
  await run(process.execPath, args, { cwd: copy, timeout: TEST_RUN_TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 }).catch(
    () => undefined, // a test failed, which is what is hoped for
  );
  return JSON.parse(readFileSync(output, 'utf8')) as Report;
}

/** The first test that fails, the invariants at a world's end included; undefined if all pass. */
function noticedBy(report: Report): string | undefined {
  for (const { status, message, assertionResults } of report.testResults) {
    const failed = assertionResults.find((result) => result.status === 'failed');
    if (failed !== undefined) return failed.fullName;
    // A file whose tests were found did load: what failed stands before or after them, such as the invariants' check.
    if (status === 'failed' && assertionResults.length > 0) {
      return `the checks around the tests: ${message.split('\n')[0] ?? ''}`;
    }
  }
  return undefined;
}

async function tryOut(mutation: Mutation | undefined, tests: readonly string[]): Promise<Report> {
  const copy = await copyProject();
  try {
    if (mutation !== undefined) mutate(copy, mutation);
    return await runTests(copy, tests);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const wanted = process.argv.slice(2);
const chosen = mutations.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
for (const mutation of chosen) checkApplies(mutation);
const allTests = [...new Set(chosen.flatMap(({ tests }) => tests))];

stdout.write(`Without a mutation: ${allTests.join(', ')}\n`);
const untouched = await tryOut(undefined, allTests);
const brokenBefore = noticedBy(untouched);
if (brokenBefore !== undefined || untouched.numPassedTests === 0) {
  throw new Error(`The tests must pass before anything is taken away: ${brokenBefore ?? 'none ran'}`);
}

stdout.write('\n| taken away | noticed by |\n|---|---|\n');
let unnoticed = 0;
for (const mutation of chosen) {
  const test = noticedBy(await tryOut(mutation, mutation.tests));
  if (test === undefined) unnoticed += 1;
  stdout.write(`| ${mutation.name} | ${test ?? '**nothing**'} |\n`);
}
stdout.write(`\n${chosen.length - unnoticed} of ${chosen.length} noticed\n`);
process.exitCode = unnoticed === 0 ? 0 : 1;

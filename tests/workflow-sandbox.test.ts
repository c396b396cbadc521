import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { whyNotReplayed } from './support/golden-histories.ts';
import { writeWorkflowBundle } from '../workers/workflow-bundle.ts';

const folder = mkdtempSync(join(tmpdir(), 'order-backend-bundle-'));
const codePath = join(folder, 'failing.cjs');

beforeAll(async () => {
  const workflows = join(import.meta.dirname, 'support', 'failing-workflows.ts');
  await writeWorkflowBundle(codePath, workflows);
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true }));

test('an error of a workflow tells the line of the source; those that the SDK makes for each promise have no stack', async () => {
  const why = await whyNotReplayed('0.1.0/paid', { workflowBundle: { codePath } });
  expect(why).toContain('A planted bug');
  expect(why).toMatch(/at orderLifecycle \([^)]*failing-workflows\.ts:3:/);
  expect(why).toContain('has the stack undefined');
});

test('no module that workflows share keeps anything', () => {
  const folders = ['workflows', 'domain', 'contracts'].map((folder) => join(import.meta.dirname, '..', folder));
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  const sources = files.filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
  expect(sources.length).toBeGreaterThan(30);
  const keepsState = /^(?:export )?(?:let|var) |^(?:export )?const .* = (?:new \w+\(\)|\[\]|\{\});/m;
  expect(sources.filter((file) => keepsState.test(readFileSync(file, 'utf8')))).toEqual([]);
});

import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { extname, join } from 'node:path';
import process from 'node:process';
import { z } from 'zod';
import { writeWorkflowBundle } from '../../workers/workflow-bundle.ts';

/**
 * Builds the product into dist/: the compiled sources, what they read at run time (migrations, the pages' style and
 * script), and the workflow bundle. It runs there with the production dependencies alone.
 */
const PROJECT = join(import.meta.dirname, '..', '..');
const DIST = join(PROJECT, 'dist');

/** What the compiler leaves behind: migrations, and what the pages load. */
const READ_AT_RUN_TIME = new Set(['.sql', '.css', '.js']);

const { include: sources } = z
  .object({ include: z.array(z.string()) })
  .parse(JSON.parse(readFileSync(join(PROJECT, 'tsconfig.build.json'), 'utf8')));

rmSync(DIST, { recursive: true, force: true });
const compiled = spawnSync(join(PROJECT, 'node_modules', '.bin', 'tsc'), ['-p', 'tsconfig.build.json'], {
  cwd: PROJECT,
  stdio: 'inherit',
});
if (compiled.status !== 0) process.exit(1);
for (const folder of sources) {
  for (const name of readdirSync(join(PROJECT, folder), { recursive: true, encoding: 'utf8' })) {
    if (READ_AT_RUN_TIME.has(extname(name))) cpSync(join(PROJECT, folder, name), join(DIST, folder, name));
  }
}
await writeWorkflowBundle(join(DIST, 'workflow-bundle.cjs'));

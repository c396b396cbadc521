import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeWorkflowBundle } from '../../workers/workflow-bundle.ts';
import { compileProduct } from './compile.ts';

/**
 * Builds the product into dist/: the compiled sources, what they read at run time (migrations, the pages' style and
 * script), and the workflow bundle. It runs there with the production dependencies alone.
 */
const DIST = join(import.meta.dirname, '..', '..', 'dist');

rmSync(DIST, { recursive: true, force: true });
await compileProduct(DIST);
await writeWorkflowBundle(join(DIST, 'workflow-bundle.cjs'));

import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { extname, join, relative } from 'node:path';
import process from 'node:process';

const PROJECT = join(import.meta.dirname, '..');
/** `.ts` when the sources run, `.js` in the built product. */
const EXTENSION = extname(import.meta.filename);
const WORKFLOWS = join(PROJECT, 'workflows', `index${EXTENSION}`);
/** All that a workflow may import of ours; the lock file stands for what it imports of others. */
const SOURCE_FOLDERS = ['workflows', 'domain', 'contracts'];
const LOCK_FILE = 'package-lock.json';
/** Made by `npm run build`, so that the built product makes no bundle at run time and needs no writable folder. */
const PREBUILT = join(PROJECT, 'workflow-bundle.cjs');
/** Bundles of older sources are removed after this. */
const KEEP_MS = 24 * 3600 * 1000;

/** Makes the workflow's own spans, and those of its calls, part of the order's trace. */
const TRACING = workflowModule('tracing');
/** Answers what a workflow has had written, for the doctor after a restore. */
const JOURNAL = workflowModule('journal');
const PROMISE_STACKS = workflowModule('promise-stacks');

/**
 * Returns the workflows as one file for Temporal's sandbox, for `workflowBundle` of `Worker.create`: the build's own
 * or, when the sources run, one that is cached for the same sources and packages, since making it takes seconds.
 */
export async function workflowBundle(): Promise<{ codePath: string }> {
  if (EXTENSION === '.js' && existsSync(PREBUILT)) return { codePath: PREBUILT };
  const folder = bundleFolder();
  const codePath = join(folder, `workflows-${contentHash()}.cjs`);
  if (existsSync(codePath)) return { codePath };
  await writeWorkflowBundle(codePath);
  removeOldBundles(folder);
  return { codePath };
}

/** Bundles the workflows, or those that another entry exports, and writes the bundle to a file. */
export async function writeWorkflowBundle(codePath: string, workflowsPath = WORKFLOWS): Promise<void> {
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    workflowInterceptorModules: [TRACING, JOURNAL],
    // Evaluated once for all workflows of a worker, which none of them may notice: modules keep nothing.
    preloadModules: [PROMISE_STACKS, TRACING, JOURNAL, workflowsPath],
    logger: new DefaultLogger('WARN'),
  });
  // Renamed in one step, so that workers that start at the same time never read half a file.
  const half = `${codePath}.${process.pid}`;
  writeFileSync(half, code);
  renameSync(half, codePath);
}

/**
 * In node_modules, where tools keep their caches; in the system's temporary folder if the installation is read-only.
 */
function bundleFolder(): string {
  const folder = join(PROJECT, 'node_modules', '.cache', 'order-backend');
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch {
    const other = join(tmpdir(), `order-backend-${userInfo().username}`);
    mkdirSync(other, { recursive: true, mode: 0o700 });
    return other;
  }
}

function contentHash(): string {
  const hash = createHash('sha256').update(readFileSync(import.meta.filename));
  const lockFile = join(PROJECT, LOCK_FILE);
  if (existsSync(lockFile)) hash.update(readFileSync(lockFile));
  for (const file of SOURCE_FOLDERS.flatMap((folder) => sourcesIn(join(PROJECT, folder)))) {
    hash.update(`\n${relative(PROJECT, file)}\n`).update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, 16);
}

function sourcesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(EXTENSION) && !name.endsWith(`.test${EXTENSION}`))
    .map((name) => join(folder, name))
    .sort();
}

function removeOldBundles(folder: string): void {
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    if (name.startsWith('workflows-') && Date.now() - statSync(file).mtimeMs > KEEP_MS) rmSync(file, { force: true });
  }
}

function workflowModule(name: string): string {
  return join(PROJECT, 'workflows', 'shared', `${name}${EXTENSION}`);
}

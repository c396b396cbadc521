import { cpSync, readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import process from 'node:process';
import { nodeFileTrace } from '@vercel/nft';

/**
 * Picks the files of the images: `OUT/app` is what the product's processes can load, `OUT/stripe-sandbox` what the
 * sandbox needs beyond that. `FOLDER` has the built product (`dist`, `package.json`) with its production packages.
 *
 *     node --import tsx dev/scripts/image-files.ts FOLDER OUT
 *
 * Node's own rules of resolution are followed from each file of `dist`, lazy imports and files read beside a module
 * included; two thirds of what npm installs are type declarations, sources, and builds for browsers and other platforms.
 */
const SANDBOX = join('dist', 'dev');

/** Those of package.json's `exports` that Node 20.19 and newer have beyond `import`, `require` and `default`. */
const CONDITIONS = ['node', 'module-sync'];

const [folder = '', out = ''] = process.argv.slice(2);
if (folder === '' || out === '') throw new Error('usage: image-files.ts FOLDER OUT');
const base = resolve(folder);

const built = filesIn(join(base, 'dist')).map((name) => join('dist', name));
const ofSandbox = (name: string): boolean => name.startsWith(SANDBOX);

const app = await traced(built.filter((name) => !ofSandbox(name)));
const sandbox = await traced(built.filter(ofSandbox));
copy(app, join(out, 'app'));
copy(
  [...sandbox].filter((name) => !app.has(name)),
  join(out, 'stripe-sandbox'),
);

/** The given files, whatever they can load, and the licenses of the packages that it comes from. */
async function traced(files: readonly string[]): Promise<ReadonlySet<string>> {
  const modules = files.filter((name) => name.endsWith('.js')).map((name) => join(base, name));
  const { fileList } = await nodeFileTrace(modules, { base, processCwd: base, conditions: CONDITIONS });
  const loaded = [...fileList].filter((name) => !isNeverLoaded(name));
  const licenses = packagesOf(loaded).flatMap((name) =>
    readdirSync(join(base, name))
      .filter((file) => /^(?:licen[cs]e|notice|copying)/i.test(file))
      .map((file) => join(name, file)),
  );
  // What is in dist beside the modules: source maps, migrations, the pages' style.
  return new Set(['package.json', ...files, ...loaded, ...licenses]);
}

/** Temporal's native library for other platforms, and the compiler of the workflow bundle, which the build has made. */
function isNeverLoaded(path: string): boolean {
  if (path.includes(join('@swc', 'core-'))) return true;
  const platform = /core-bridge\/releases\/(?<platform>[^/]+)\//.exec(path)?.groups?.['platform'];
  const cpu = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  return platform !== undefined && platform !== `${cpu}-unknown-linux-gnu`;
}

/** The folders of the packages that the files belong to. */
function packagesOf(files: readonly string[]): string[] {
  const names = files.map((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0]);
  return [...new Set(names.filter((name) => name !== undefined))];
}

function copy(files: Iterable<string>, to: string): void {
  for (const name of files) cpSync(join(base, name), join(to, name), { recursive: true });
}

function filesIn(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(relative(path, entry.parentPath), entry.name));
}

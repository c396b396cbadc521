import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';

const PROJECT = join(import.meta.dirname, '..', '..');
const run = promisify(execFile);

export type Exit = { readonly code: number | null; readonly output: string };

export type ProductProcess = {
  readonly output: () => string;
  /** Sends SIGTERM, as a container's stop does, and waits for the end. */
  readonly stop: () => Promise<Exit>;
  readonly exited: Promise<Exit>;
};

/** The product as the image has it: built, with what it can load of its packages, in a folder of its own. */
export type BuiltProduct = {
  readonly folder: string;
  /** Runs `node dist/<entry>` with this environment and nothing else of ours; the sandbox from its own image. */
  readonly start: (
    entry: string,
    environment: Readonly<Record<string, string>>,
    args?: readonly string[],
  ) => ProductProcess;
  /** The files that are there, without those of the packages. */
  readonly files: () => string[];
  readonly remove: () => void;
};

/** Builds elsewhere what the Dockerfile copies from this working tree, installs as it does, and picks the same files. */
export async function buildProduct(): Promise<BuiltProduct> {
  const work = mkdtempSync(join(tmpdir(), 'order-backend-build-'));
  const sources = join(work, 'sources');
  const product = join(work, 'product');
  for (const { from, to } of copiedIntoImage()) {
    cpSync(join(PROJECT, from), join(sources, to.endsWith('/') ? join(to, basename(from)) : to), { recursive: true });
  }
  symlinkSync(join(PROJECT, 'node_modules'), join(sources, 'node_modules'));
  mkdirSync(product);
  for (const name of ['package.json', 'package-lock.json', '.npmrc']) cpSync(join(sources, name), join(product, name));

  const inSources = async (command: string, args: readonly string[]): Promise<void> => {
    await run(command, args, { cwd: sources }).catch((error: Error & { stdout?: string }) => {
      throw new Error(`${error.message}\n${error.stdout}`, { cause: error });
    });
  };
  await inSources('npm', ['run', 'build']);
  cpSync(join(sources, 'dist'), join(product, 'dist'), { recursive: true });
  // The second stage, which installs the packages.
  for (const command of instructions(2, 'RUN')) {
    await run('/bin/sh', ['-euc', command], {
      cwd: product,
      env: { ...process.env, npm_config_prefer_offline: 'true' },
    });
  }
  await inSources(process.execPath, ['--import', 'tsx', 'dev/scripts/image-files.ts', product, work]);
  rmSync(sources, { recursive: true });
  rmSync(product, { recursive: true });

  // The two images: the product's, and the sandbox's, which is the same with some files more.
  const folder = join(work, 'app');
  const sandbox = join(work, 'sandbox');
  cpSync(folder, sandbox, { recursive: true });
  cpSync(join(work, 'stripe-sandbox'), sandbox, { recursive: true });
  return {
    folder,
    start: (entry, environment, args = []) =>
      startProcess(entry.startsWith('dev/') ? sandbox : folder, [join('dist', entry), ...args], environment),
    files: () =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((name) => !name.startsWith('node_modules'))
        .sort(),
    remove: () => rmSync(work, { recursive: true, force: true }),
  };
}

/** What the Dockerfile's first stage, which builds, copies from the project. */
export function copiedIntoImage(): { readonly from: string; readonly to: string }[] {
  return instructions(1, 'COPY').flatMap((line) => {
    const paths = line.split(' ');
    const to = paths.pop() ?? '';
    return paths.map((from) => ({ from, to }));
  });
}

function instructions(stage: number, name: 'COPY' | 'RUN'): string[] {
  const text =
    readFileSync(join(PROJECT, 'Dockerfile'), 'utf8')
      .replaceAll('\\\n', ' ')
      .split(/^FROM .*$/m)[stage] ?? '';
  return text.split('\n').flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1)] : []));
}

function startProcess(
  folder: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): ProductProcess {
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const exited = exitOf(child).then((code) => ({ code, output }));
  return {
    output: () => output,
    exited,
    stop: async () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
}

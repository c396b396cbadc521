import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { findTemporalCli } from './temporal-cli.ts';

let folder: string;
const log = { progress: vi.fn<(message: string) => void>(), warn: vi.fn<(message: string) => void>() };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'temporal-cli-test-'));
  mkdirSync(join(folder, 'bin'));
  // The machine's own `temporal` and `go` are out of sight.
  vi.stubEnv('PATH', join(folder, 'bin'));
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
  vi.stubGlobal('fetch', () => Promise.reject(new Error('no way out')));
});

afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  vi.clearAllMocks();
  rmSync(folder, { recursive: true });
});

/** A program that is nothing but a shell script. */
function program(name: string, script: string): string {
  const path = join(folder, 'bin', name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

function temporal(name: string, serverVersion: string): string {
  return program(name, `echo "temporal version 1.2.3 (Server ${serverVersion}, UI 2.0.0)"`);
}

/** A Go whose build takes a moment and is written down. */
function go(): string {
  const builds = join(folder, 'builds');
  program(
    'go',
    `case $1 in
       list) printf 'a\\nb\\n' ;;
       build) echo build >> ${builds}; /bin/sleep 0.3
         while [ "$1" != -o ]; do shift; done; echo program > "$2" ;;
     esac`,
  );
  return builds;
}

test('the program of the PATH is taken, unless its server is too old for update-with-start', async () => {
  const onPath = temporal('temporal', '1.31.2');
  expect(await findTemporalCli({ log })).toBe(onPath);

  temporal('temporal', '1.27.9');
  const builds = go();
  expect(await findTemporalCli({ log })).toBe(join(cachedFolder(), 'temporal'));
  expect(log.warn).toHaveBeenCalledWith(
    `${onPath} is passed over: it has Temporal server 1.27.9, and 1.28.0 or newer is needed.`,
  );
  expect(readFileSync(builds, 'utf8')).toBe('build\n');
});

test('a program that is named but of no use is reported, and no other is looked for', async () => {
  temporal('temporal', '1.31.2');
  await expect(findTemporalCli({ log, givenPath: temporal('old', '1.20.0') })).rejects.toThrow(
    /^TEMPORAL_CLI_PATH: .*old has Temporal server 1\.20\.0, and 1\.28\.0 or newer is needed\. Name a newer/,
  );
  await expect(findTemporalCli({ log, givenPath: program('other', 'echo hello') })).rejects.toThrow(
    /other is not the Temporal CLI/,
  );
});

test('if it is missing it is built once, even for two callers at the same time, and kept', async () => {
  const builds = go();
  const both = await Promise.all([findTemporalCli({ log }), findTemporalCli({ log })]);
  expect(both).toEqual([join(cachedFolder(), 'temporal'), join(cachedFolder(), 'temporal')]);
  await findTemporalCli({ log });
  expect(readFileSync(builds, 'utf8')).toBe('build\n');
  expect(readdirSync(cachedFolder())).toEqual(['temporal']);
  expect(log.progress).toHaveBeenCalledWith(
    expect.stringMatching(/^Building the Temporal server \S+ with Go \(once; usually 5 minutes on 2 cores\): 0 of 2/),
  );
  expect(log.progress).toHaveBeenCalledWith(`Waiting for process ${process.pid}, which installs the Temporal server`);
});

test('a build that fails leaves nothing behind, and its last lines are told', async () => {
  program('go', '[ "$1" = build ] && echo "disk full" >&2 && exit 1; exit 0');
  await expect(findTemporalCli({ log })).rejects.toThrow(/could not be built: `go build` ended with 1\.[^]*disk full$/);
  expect(readdirSync(cachedFolder())).toEqual([]);
});

test('without a way to get one it is said what to do', async () => {
  await expect(findTemporalCli({ log })).rejects.toThrow(
    /^There is no Temporal server on this machine.*install the Temporal CLI.*install Go 1\.26.*set TEMPORAL_ADDRESS/,
  );
});

function cachedFolder(): string {
  const cache = join(folder, 'cache', 'order-backend');
  const [version] = readdirSync(cache);
  return join(cache, version ?? '');
}

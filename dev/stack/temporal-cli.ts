import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withLock } from './file-lock.ts';
import { cacheFolder, programOnPath } from './programs.ts';
import { messageOf, StackError, type Reporter } from './stack-error.ts';
import { buildTemporalCli, TEMPORAL_MODULE_FOLDER } from './temporal-build.ts';
import { downloadTemporalCli } from './temporal-download.ts';

export type FindOptions = {
  readonly log: Pick<Reporter, 'progress' | 'warn'>;
  /** The program that TEMPORAL_CLI_PATH names; no other is looked for then. */
  readonly givenPath?: string | undefined;
  /** Ends a download or a build that is under way. */
  readonly signal?: AbortSignal | undefined;
};

/** The oldest server with update-with-start, by which orders are created, switched on. */
const OLDEST_SERVER: Version = [1, 28, 0];

type Version = readonly [major: number, minor: number, patch: number];

const run = promisify(execFile);

/**
 * The `temporal` program with the development server: the given one, the one on the PATH, the one in our cache, the
 * download of Temporal's SDK, or built with Go from the versions in dev/stack/temporal; the last two go to the cache.
 *
 * @throws StackError if none of them is to be had, with what each wants
 */
export async function findTemporalCli({ log, givenPath, signal }: FindOptions): Promise<string> {
  if (givenPath !== undefined) {
    const problem = await problemOf(givenPath);
    if (problem === undefined) return givenPath;
    throw new StackError(
      `TEMPORAL_CLI_PATH: ${givenPath} ${problem}. Name a newer \`temporal\` program, or leave it out.`,
    );
  }
  const onPath = programOnPath('temporal');
  if (onPath !== undefined) {
    const problem = await problemOf(onPath);
    if (problem === undefined) return onPath;
    log.warn(`${onPath} is passed over: it ${problem}.`);
  }
  return cachedTemporalCli(log, signal);
}

async function cachedTemporalCli(log: FindOptions['log'], signal: AbortSignal | undefined): Promise<string> {
  const version = pinnedVersion();
  const folder = join(cacheFolder(), `temporal-${version}`);
  const program = join(folder, 'temporal');
  if (existsSync(program)) return program;
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new StackError(
      `The Temporal server can't be kept in ${folder} (${messageOf(error)}). Make it writable, or set XDG_CACHE_HOME to another folder.`,
    );
  }
  const onWait = (pid: number): void => {
    log.progress(`Waiting for process ${pid}, which installs the Temporal server`);
  };
  return withLock(join(folder, 'installing.lock'), onWait, async () => {
    if (!existsSync(program)) await install(version, folder, program, log, signal);
    return program;
  });
}

async function install(
  version: string,
  folder: string,
  program: string,
  log: FindOptions['log'],
  signal: AbortSignal | undefined,
): Promise<void> {
  const workFolder = mkdtempSync(join(folder, 'installing-'));
  try {
    const made =
      (await downloadTemporalCli({ version, workFolder, log, signal })) ??
      (await buildTemporalCli({ version, workFolder, log, signal }));
    // Renamed in one step: whoever sees the program sees a whole one.
    const ready = join(workFolder, 'ready');
    copyFileSync(made, ready);
    chmodSync(ready, 0o755);
    renameSync(ready, program);
  } finally {
    rmSync(workFolder, { recursive: true, force: true });
  }
}

/** The version of the CLI that dev/stack/temporal/go.mod pins, such as `1.8.2`. */
function pinnedVersion(): string {
  const goMod = readFileSync(join(TEMPORAL_MODULE_FOLDER, 'go.mod'), 'utf8');
  const version = /github\.com\/temporalio\/cli v(?<version>\S+)/.exec(goMod)?.groups?.['version'];
  if (version === undefined) throw new Error('dev/stack/temporal/go.mod names no version of github.com/temporalio/cli');
  return version;
}

/** Why a program is of no use, as the rest of a sentence; undefined if it is. */
async function problemOf(program: string): Promise<string | undefined> {
  let output: string;
  try {
    ({ stdout: output } = await run(program, ['--version'], { timeout: 10_000 }));
  } catch (error) {
    return `can't be run (${messageOf(error).split('\n')[0]})`;
  }
  const server = /Server (?<major>\d+)\.(?<minor>\d+)\.(?<patch>\d+)/.exec(output)?.groups;
  if (server === undefined) return 'is not the Temporal CLI';
  const version: Version = [Number(server['major']), Number(server['minor']), Number(server['patch'])];
  if (!isOlder(version, OLDEST_SERVER)) return undefined;
  return `has Temporal server ${version.join('.')}, and ${OLDEST_SERVER.join('.')} or newer is needed`;
}

function isOlder(a: Version, b: Version): boolean {
  const difference = a.map((part, index) => part - (b[index] ?? 0)).find((part) => part !== 0);
  return difference !== undefined && difference < 0;
}

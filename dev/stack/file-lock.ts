import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { isAlive, ownIdentity, type ProcessIdentity } from './process-identity.ts';

const identitySchema = z.object({ pid: z.number().int(), startedAt: z.string() });

/**
 * Takes a lock file for this process. One whose process is gone counts as free.
 *
 * @returns the process that holds it, if that is another one
 */
export function tryLock(file: string): ProcessIdentity | undefined {
  const holder = lockHolder(file);
  if (holder !== undefined) return holder;
  rmSync(file, { force: true });
  try {
    // 'wx' fails if the file exists, so only one of two concurrent callers wins.
    writeFileSync(file, JSON.stringify(ownIdentity()), { flag: 'wx' });
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return lockHolder(file) ?? tryLock(file);
  }
}

/** The living process that holds a lock file. */
export function lockHolder(file: string): ProcessIdentity | undefined {
  try {
    const holder = identitySchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    return isAlive(holder) ? holder : undefined;
  } catch {
    // Missing, or cut off by a crash in the moment it was written.
    return undefined;
  }
}

export function unlock(file: string): void {
  rmSync(file, { force: true });
}

/** Runs something while this process alone holds the lock file; waits for its turn. */
export async function withLock<T>(
  file: string,
  onWait: (holderPid: number) => void,
  run: () => Promise<T>,
): Promise<T> {
  for (let holder = tryLock(file); holder !== undefined; holder = tryLock(file)) {
    onWait(holder.pid);
    await sleep(500);
  }
  try {
    return await run();
  } finally {
    unlock(file);
  }
}

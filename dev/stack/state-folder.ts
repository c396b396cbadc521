import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { lockHolder, tryLock, unlock } from './file-lock.ts';
import { identify, isAlive, signalProcess, type ProcessIdentity } from './process-identity.ts';
import { messageOf, StackError } from './stack-error.ts';

const recordSchema = z.object({
  pid: z.number().int(),
  startedAt: z.string(),
  name: z.string(),
  stopSignal: z.custom<NodeJS.Signals>((value) => typeof value === 'string' && value.startsWith('SIG')),
  stopTimeoutMs: z.number(),
  /** Processes of a higher layer stand on those of a lower one and are ended first. */
  layer: z.number().int(),
});

/** What is kept about each child, so that the next start finds it should this process be killed. */
export type ProcessRecord = z.output<typeof recordSchema>;

/** Tells a state folder from any other: no other is written to, or removed. */
const MARKER_FILE = 'order-backend-state';
const OWNER_FILE = 'owner.json';
const PROCESSES_FOLDER = 'processes';

/**
 * The folder that holds all that the stack keeps between two starts: data, logs, and the ids of its processes.
 * One stack at a time owns it.
 */
export type StateFolder = {
  readonly path: string;
  /** A path inside; its folder is made. */
  readonly file: (...parts: string[]) => string;
  readonly record: (process: Omit<ProcessRecord, 'startedAt'>) => void;
  readonly forget: (name: string) => void;
  readonly release: () => void;
};

/**
 * Takes the folder for this process and ends what an earlier owner left running when it was killed.
 *
 * @param path an absolute path; the folder is created if it is missing
 * @returns the folder, and the names of the processes that had to be ended
 * @throws StackError if another stack runs on it, or it can't be written
 */
export async function openStateFolder(path: string): Promise<{ folder: StateFolder; ended: string[] }> {
  try {
    mkdirSync(path, { recursive: true });
    if (!isStateFolder(path) && readdirSync(path).length > 0) {
      throw new StackError(`STATE_DIR: ${path} holds other things. Name a folder that is empty or doesn't exist yet.`);
    }
    writeFileSync(join(path, MARKER_FILE), 'What `npm start` keeps; `npm run reset` removes it.\n');
    mkdirSync(join(path, PROCESSES_FOLDER), { recursive: true });
    takeOwnership(path);
  } catch (error) {
    if (error instanceof StackError) throw error;
    throw new StackError(
      `The state folder ${path} can't be written (${messageOf(error)}). Make it writable for this user, or set STATE_DIR to another folder.`,
    );
  }
  const recordPath = (name: string): string => join(path, PROCESSES_FOLDER, `${fileNameOf(name)}.json`);
  const folder: StateFolder = {
    path,
    file: (...parts) => {
      const file = join(path, ...parts);
      mkdirSync(join(file, '..'), { recursive: true });
      return file;
    },
    record: (process) => {
      writeAtomically(recordPath(process.name), { ...process, ...identify(process.pid) });
    },
    forget: (name) => {
      rmSync(recordPath(name), { force: true });
    },
    release: () => {
      unlock(join(path, OWNER_FILE));
    },
  };
  return { folder, ended: await endOrphans(path) };
}

/** The stack that runs on a state folder now, if one does. */
export function ownerOf(path: string): ProcessIdentity | undefined {
  return lockHolder(join(path, OWNER_FILE));
}

/**
 * Ends, from the highest layer down, the processes that a killed stack left behind: each by its own stop signal, and by
 * SIGKILL when its time is over. A process id that belongs to another program by now is left alone.
 *
 * @returns the names of the processes that were ended
 */
export async function endOrphans(path: string): Promise<string[]> {
  const folder = join(path, PROCESSES_FOLDER);
  if (!existsSync(folder)) return [];
  const records = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({ file: join(folder, name), record: readJson(join(folder, name), recordSchema) }));
  const orphans = records.flatMap(({ record }) => (record !== undefined && isAlive(record) ? [record] : []));
  const layers = [...new Set(orphans.map(({ layer }) => layer))].sort((a, b) => b - a);
  for (const layer of layers) {
    await Promise.all(orphans.filter((orphan) => orphan.layer === layer).map(endProcess));
  }
  for (const { file } of records) rmSync(file, { force: true });
  return orphans.map(({ name }) => name);
}

/**
 * Ends what was left running on a state folder and removes it, with folders elsewhere that belong to it.
 *
 * @returns false if there is none
 * @throws StackError if a stack runs on it, or it is not a state folder
 */
export async function removeStateFolder(path: string, others: readonly string[]): Promise<boolean> {
  if (!existsSync(path)) return false;
  if (!isStateFolder(path)) {
    throw new StackError(`STATE_DIR: ${path} is not a state folder of this product, so it is not removed.`);
  }
  takeOwnership(path);
  await endOrphans(path);
  for (const folder of [...others, path]) rmSync(folder, { recursive: true, force: true });
  return true;
}

function isStateFolder(path: string): boolean {
  return existsSync(join(path, MARKER_FILE));
}

async function endProcess(record: ProcessRecord): Promise<void> {
  signalProcess(record, record.stopSignal);
  if (await isGoneWithin(record, record.stopTimeoutMs)) return;
  signalProcess(record, 'SIGKILL');
  if (await isGoneWithin(record, 5000)) return;
  throw new StackError(
    `${record.name} (process ${record.pid}) was left by an earlier start and doesn't end. End it by hand: kill -9 ${record.pid}`,
  );
}

async function isGoneWithin(process: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (isAlive(process)) {
    if (Date.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}

function takeOwnership(path: string): void {
  const owner = tryLock(join(path, OWNER_FILE));
  if (owner === undefined) return;
  throw new StackError(
    `It runs already (process ${owner.pid}, state in ${path}). Stop that one first, with Ctrl-C there or: kill ${owner.pid}`,
  );
}

function readJson<T>(file: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // Missing, or cut off by a full disk or a crash: as good as missing.
    return undefined;
  }
}

function writeAtomically(file: string, content: unknown): void {
  writeFileSync(`${file}.new`, JSON.stringify(content));
  renameSync(`${file}.new`, file);
}

/** `Stripe sandbox` → `stripe-sandbox` */
export function fileNameOf(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
}

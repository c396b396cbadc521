import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PROJECT_FOLDER } from '../../platform/project.ts';
import type { Mutation } from './mutation-table.ts';

/** Where something is taken away, and by what it is replaced. */
type Change = Pick<Mutation, 'name' | 'file' | 'find' | 'replace'>;

const run = promisify(execFile);

/** Copies the checkout as it is, so that it stays as it is. Returns the folder of the copy. */
export async function copyProject(): Promise<string> {
  const copy = mkdtempSync(join(tmpdir(), 'order-backend-mutation-'));
  const { stdout: listed } = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: PROJECT_FOLDER,
    maxBuffer: 16 * 1024 * 1024,
  });
  for (const file of listed.split('\0').filter((name) => name !== '')) {
    cpSync(join(PROJECT_FOLDER, file), join(copy, file), { recursive: true });
  }
  symlinkSync(join(PROJECT_FOLDER, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** @throws if the code has changed since, and the mutation no longer takes anything away */
export function checkApplies({ name, file, find }: Change): void {
  const places = readFileSync(join(PROJECT_FOLDER, file), 'utf8').split(find).length - 1;
  if (places !== 1) throw new Error(`"${name}": ${file} holds ${places} times instead of once: ${find}`);
}

export function mutate(copy: string, { file, find, replace }: Change): void {
  const path = join(copy, file);
  writeFileSync(
    path,
    readFileSync(path, 'utf8').replace(find, () => replace),
  );
}

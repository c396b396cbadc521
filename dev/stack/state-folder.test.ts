import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStateFolder, ownerOf, removeStateFolder } from './state-folder.ts';

let path: string;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'state-test-'));
});

afterEach(() => {
  rmSync(path, { recursive: true, force: true });
});

test('a folder with other things in it is neither used nor removed', async () => {
  writeFileSync(join(path, 'thesis.txt'), 'years of work');
  await expect(openStateFolder(path)).rejects.toThrow(`STATE_DIR: ${path} holds other things.`);
  await expect(removeStateFolder(path, [])).rejects.toThrow(/is not a state folder of this product/);
  expect(readdirSync(path)).toEqual(['thesis.txt']);
});

test('it is not removed while a stack runs on it, and is once that has ended', async () => {
  const { folder } = await openStateFolder(path);
  expect(ownerOf(path)?.pid).toBe(process.pid);
  await expect(removeStateFolder(path, [])).rejects.toThrow(`It runs already (process ${process.pid}`);
  folder.release();
  const other = mkdtempSync(join(tmpdir(), 'state-test-other-'));
  expect(await removeStateFolder(path, [other])).toBe(true);
  expect([existsSync(path), existsSync(other)]).toEqual([false, false]);
  expect(await removeStateFolder(path, [])).toBe(false);
});

test('a folder that can’t be made is reported with the fix', async () => {
  const file = join(path, 'a-file');
  writeFileSync(file, '');
  await expect(openStateFolder(join(file, 'state'))).rejects.toThrow(
    /^The state folder .* can't be written \(ENOTDIR.*\)\. Make it writable for this user, or set STATE_DIR to another folder\.$/,
  );
});

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { type History, historyToJSON } from '@temporalio/common/lib/proto-utils.js';

const run = promisify(execFile);

/**
 * Replays a history in a process of its own.
 *
 * @param workflows the file of a bundle (.cjs), or the entry of workflows to make one of
 * @returns the CPU time of one replay, in ms
 */
export async function replayCpuMs(folder: string, workflows: string, history: History): Promise<number> {
  const file = join(folder, 'replayed-history.json');
  writeFileSync(file, historyToJSON(history));
  const program = join(import.meta.dirname, 'replay.main.ts');
  const { stdout } = await run(process.execPath, ['--import', 'tsx', program, workflows, file]);
  return Number(stdout);
}

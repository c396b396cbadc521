import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { type History, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { PROJECT_FOLDER } from '../../platform/project.ts';

const run = promisify(execFile);
/** Where `tsc -p dev/bench/bare` puts it: with tsx, Node looks for source maps in each call into the sandbox. */
const REPLAY_PROGRAM = join(PROJECT_FOLDER, 'dist/dev/bench/replay.main.js');

/**
 * Replays a history in a process of its own.
 *
 * @param workflows the file of a bundle (.cjs), or the entry of workflows to make one of
 * @returns the CPU time of one replay, in ms
 */
export async function replayCpuMs(folder: string, workflows: string, history: History): Promise<number> {
  const file = join(folder, 'replayed-history.json');
  writeFileSync(file, historyToJSON(history));
  const { stdout } = await run(process.execPath, [REPLAY_PROGRAM, workflows, file]);
  return Number(stdout);
}

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Client } from '@temporalio/client';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker, type WorkerOptions } from '@temporalio/worker';
import { z } from 'zod';
import { PROJECT_FOLDER } from '../../platform/project.ts';

const FOLDER = join(PROJECT_FOLDER, 'tests', 'histories');
const SUFFIX = '.json.gz';

/** `npm run histories` records what else is only replayed. */
export const isRecording = process.env['RECORD_HISTORIES'] === 'true';

/** The names of all histories that were recorded, as `<version>/<what happened>`. */
export function recordedHistories(): string[] {
  return readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => name.slice(0, -SUFFIX.length))
    .sort();
}

/** The folder of this version's histories, emptied. */
export function emptyFolderOfThisVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(PROJECT_FOLDER, 'package.json'), 'utf8'));
  const folder = join(FOLDER, z.object({ version: z.string() }).parse(manifest).version);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Writes the history of a workflow's run. */
export async function record(
  { client, folder }: { readonly client: Client; readonly folder: string },
  name: string,
  workflow: { readonly workflowId: string; readonly runId?: string },
): Promise<void> {
  const history = await client.workflow.getHandle(workflow.workflowId, workflow.runId).fetchHistory();
  // Where our code lies on this machine is nobody's business, and no replay looks at it.
  const text = historyToJSON(history).replaceAll(/"stackTrace": ?"(?:[^"\\]|\\.)*"/g, '"stackTrace": ""');
  writeFileSync(join(folder, `${name}${SUFFIX}`), gzipSync(text, { level: 9 }));
}

/** Replays a recorded history. Returns why it does not replay; undefined if it does. */
export async function whyNotReplayed(
  name: string,
  bundle: Pick<WorkerOptions, 'workflowBundle' | 'plugins'>,
): Promise<string | undefined> {
  const history = historyFromJSON(JSON.parse(gunzipSync(readFileSync(join(FOLDER, `${name}${SUFFIX}`))).toString()));
  try {
    await Worker.runReplayHistory(bundle, history);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

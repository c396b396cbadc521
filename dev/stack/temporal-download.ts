import { fork } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { MakeOptions } from './temporal-build.ts';

/** Where Temporal's SDKs get the program from. */
const DOWNLOAD_SITE = 'https://temporal.download/';
const SITE_TIMEOUT_MS = 3000;
const DOWNLOAD_TIMEOUT_MS = 3 * 60_000;

/**
 * Has Temporal's SDK download the program.
 *
 * It runs in a process of its own, as the SDK can't be told to give up; whether there is a way out at all is asked
 * first, so that a machine without one doesn't wait for it.
 *
 * @returns the path of the program, or undefined if it can't be downloaded
 */
export async function downloadTemporalCli({
  version,
  workFolder,
  log,
  signal,
}: MakeOptions): Promise<string | undefined> {
  try {
    await fetch(DOWNLOAD_SITE, { method: 'HEAD', signal: AbortSignal.timeout(SITE_TIMEOUT_MS) });
  } catch {
    return undefined;
  }
  log.progress(`Downloading Temporal ${version}`);
  const child = fork(join(import.meta.dirname, 'temporal-download.main.ts'), [version, workFolder], {
    execArgv: ['--import', 'tsx'],
    stdio: 'ignore',
    timeout: DOWNLOAD_TIMEOUT_MS,
    ...(signal === undefined ? {} : { signal }),
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  const file = readdirSync(workFolder).find((name) => name.startsWith('temporal'));
  return code === 0 && file !== undefined ? join(workFolder, file) : undefined;
}

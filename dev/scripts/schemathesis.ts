import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../stack/programs.ts';

const run = promisify(execFile);

/** Another version finds other things, with the same seed. */
const VERSION = '4.32.5';

/** Returns the program that fuzzes the API, in a virtual environment of its own; undefined if it is not installed. */
export function findSchemathesis(): string | undefined {
  const program = join(environment(), 'bin', 'schemathesis');
  return existsSync(program) ? program : undefined;
}

/**
 * Installs it, once for each user of the machine.
 *
 * @returns where it is
 * @throws Error of `python3` or `pip`, which says what is missing
 */
export async function installSchemathesis(): Promise<string> {
  const found = findSchemathesis();
  if (found !== undefined) return found;
  await run('python3', ['-m', 'venv', environment()]);
  await run(join(environment(), 'bin', 'pip'), ['install', '--quiet', `schemathesis==${VERSION}`]);
  return join(environment(), 'bin', 'schemathesis');
}

function environment(): string {
  return join(cacheFolder(), `schemathesis-${VERSION}`);
}

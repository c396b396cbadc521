import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { processEnvironment } from '../../platform/config.ts';

/** Where the programs that the stack installs for itself are kept: one folder a user, shared by all checkouts. */
export function cacheFolder(): string {
  const base = processEnvironment()['XDG_CACHE_HOME'];
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'order-backend');
}

/** The first program of that name on the PATH. */
export function programOnPath(name: string): string | undefined {
  const folders = (processEnvironment()['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

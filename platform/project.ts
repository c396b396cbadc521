import { resolve } from 'node:path';
import { loadEnvFile } from 'node:process';

/** The folder that holds `package.json`, in the sources; in a build, the one that holds the compiled files. */
export const PROJECT_FOLDER = resolve(import.meta.dirname, '..');

/** In the state folder: where the parts of a running `npm start` are, for programs that work with it. */
export const CONNECTIONS_FILE = 'connections.env';

/** Reads the project's `.env`, if there is one. Variables that are already set keep their values. */
export function loadProjectEnvFile(): void {
  try {
    loadEnvFile(resolve(PROJECT_FOLDER, '.env'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { type Config, loadConfig, parseEnvironment, processEnvironment } from '../platform/config.ts';
import { CONNECTIONS_FILE, loadProjectEnvFile, PROJECT_FOLDER } from '../stack/settings.ts';

export type CliSettings = {
  readonly config: Config;
  /** Where the addresses of a running `npm start` were found; undefined where none runs. */
  readonly stackFile: string | undefined;
};

/**
 * The settings that a command works with: the environment, then the project's `.env`, then what a running `npm start`
 * has written down of itself, then the defaults.
 *
 * @throws ConfigError naming each variable that is wrong, and its mend
 */
export function loadCliSettings(environment?: Readonly<Record<string, string | undefined>>): CliSettings {
  if (environment === undefined) loadProjectEnvFile();
  const given = environment ?? processEnvironment();
  const { env, isGiven } = parseEnvironment(given);
  const stackFile = resolve(PROJECT_FOLDER, env.STATE_DIR, CONNECTIONS_FILE);
  const stack = readStackFile(stackFile);
  const settings = { ...stack, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value)) };
  // `npm start` was told of a Stripe that this shell may not have been told of; then the sandbox is not meant.
  if (isGiven('STRIPE_KEY') || isGiven('STRIPE_ENDPOINT_SECRET')) delete settings['STRIPE_SANDBOX_URL'];
  return { config: loadConfig(settings), stackFile: stack === undefined ? undefined : stackFile };
}

function readStackFile(file: string): Record<string, string | undefined> | undefined {
  try {
    return parseEnv(readFileSync(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

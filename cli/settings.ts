import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { type Config, loadConfig, parseEnvironment, processEnvironment } from '../platform/config.ts';
import { CONNECTIONS_FILE, loadProjectEnvFile, PROJECT_FOLDER } from '../platform/project.ts';

export type CliSettings = {
  readonly config: Config;
  /** The file with the addresses of a running `npm start`; undefined if none is running. */
  readonly stackFile: string | undefined;
  /** Whether a running `npm start` uses the real Stripe with a key that is not set for this command. */
  readonly stripeKeyIsElsewhere: boolean;
};

/**
 * The settings that a command works with: the environment, then the project's `.env`, then what a running `npm start`
 * has recorded about itself, then the defaults.
 *
 * @throws ConfigError naming each variable that is wrong, and the fix
 */
export function loadCliSettings(environment?: Readonly<Record<string, string | undefined>>): CliSettings {
  if (environment === undefined) loadProjectEnvFile();
  const given = environment ?? processEnvironment();
  const { env, isGiven } = parseEnvironment(given);
  const stackFile = resolve(PROJECT_FOLDER, env.STATE_DIR, CONNECTIONS_FILE);
  const stack = readStackFile(stackFile);
  const settings = { ...stack, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value)) };
  const isStripeGiven = isGiven('STRIPE_KEY') || isGiven('STRIPE_ENDPOINT_SECRET') || isGiven('STRIPE_SANDBOX_URL');
  return {
    config: loadConfig(settings),
    stackFile: stack === undefined ? undefined : stackFile,
    stripeKeyIsElsewhere: stack !== undefined && stack['STRIPE_SANDBOX_URL'] === undefined && !isStripeGiven,
  };
}

function readStackFile(file: string): Record<string, string | undefined> | undefined {
  try {
    return parseEnv(readFileSync(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import process, { stderr } from 'node:process';
import type { TestProject } from 'vitest/node';
import { parseEnvironment, processEnvironment } from '../platform/config.ts';
import { compileProduct } from '../dev/scripts/compile.ts';
import { startInfrastructure } from '../dev/stack/infrastructure.ts';
import type { ManagedProcess } from '../dev/stack/managed-process.ts';
import { ensureDatabase } from '../dev/stack/postgres.ts';
import { identify, isAlive } from '../dev/stack/process-identity.ts';
import type { Reporter } from '../dev/stack/stack-error.ts';
import { endOrphans, openStateFolder, ownerOf } from '../dev/stack/state-folder.ts';
import { createTerminal } from '../dev/stack/terminal.ts';
import { MIGRATED_TEMPLATE } from '../dev/stack/test-database.ts';
import { PROJECT_FOLDER } from '../platform/project.ts';
import { workflowBundle } from '../workers/workflow-bundle.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** PostgreSQL, as a user who may create databases. A test makes its own with `createTestDatabase`. */
    databaseUrl: string;
    temporalAddress: string;
    /** For `workflowBundle: { codePath }` of a worker; what is tested is what runs. */
    workflowBundlePath: string;
    /** The product as JavaScript, for tests that start processes of it: they start in half the time. */
    compiledFolder: string;
  }
}

const RUN_PREFIX = 'run-';
const RUNS_FOLDER = join(tmpdir(), `order-backend-tests-${userInfo().username}`);

/** Says nothing but what is slow: the first installation of the Temporal server. */
const log: Reporter = { ...createTerminal(stderr), up: () => undefined };

/**
 * Brings up PostgreSQL and Temporal once for a run of the tests, on free ports and in a folder of its own, so that it
 * works beside a running `npm start` and beside other runs.
 *
 * @returns the teardown
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeDeadRuns();
  const { folder: state } = await openStateFolder(join(RUNS_FOLDER, `${RUN_PREFIX}${process.pid}`));
  const started: ManagedProcess[] = [];
  // A run that is broken off leaves without its teardown: the servers get a signal and end by themselves.
  const endAtExit = (): void => {
    for (const server of started) server.signalEnd();
  };
  process.once('exit', endAtExit);
  // A terminal that is closed ends Node without an exit event; vitest takes care of the other signals.
  process.once('SIGHUP', () => process.exit(129));
  const teardown = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()));
    process.off('exit', endAtExit);
    rmSync(state.path, { recursive: true, force: true });
  };
  try {
    const { env } = parseEnvironment(processEnvironment());
    const compiledFolder = join(state.path, 'compiled');
    const [{ databaseUrl, temporalAddress }, bundle] = await Promise.all([
      startInfrastructure({
        state,
        log,
        ports: {},
        durable: false,
        temporalCliPath: env.TEMPORAL_CLI_PATH,
        onStart: (server) => started.push(server),
      }),
      workflowBundle(),
      compile(compiledFolder),
    ]);
    copyFileSync(bundle.codePath, join(compiledFolder, 'workflow-bundle.cjs'));
    await migrateTemplate(databaseUrl);
    project.provide('databaseUrl', databaseUrl);
    project.provide('temporalAddress', temporalAddress);
    project.provide('workflowBundlePath', bundle.codePath);
    project.provide('compiledFolder', compiledFolder);
  } catch (error) {
    await teardown();
    throw error;
  }
  return teardown;
}

/** Compiles without a check of types, which `npm run check` does, and in a fraction of its time. */
async function compile(folder: string): Promise<void> {
  await compileProduct(folder, ['--noCheck']);
  copyFileSync(join(PROJECT_FOLDER, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(PROJECT_FOLDER, 'node_modules'), join(folder, 'node_modules'));
}

/** What a run left that was killed. */
async function removeDeadRuns(): Promise<void> {
  mkdirSync(RUNS_FOLDER, { recursive: true });
  for (const name of readdirSync(RUNS_FOLDER)) {
    const path = join(RUNS_FOLDER, name);
    // A run whose process lives, and one that has just made its folder, are left alone.
    const pid = Number(name.slice(RUN_PREFIX.length));
    if (ownerOf(path) !== undefined || isAlive(identify(pid))) continue;
    if (existsSync(join(path, 'processes'))) await endOrphans(path);
    rmSync(path, { recursive: true, force: true });
  }
}

async function migrateTemplate(adminUrl: string): Promise<void> {
  await ensureDatabase(adminUrl, MIGRATED_TEMPLATE);
  const url = new URL(adminUrl);
  url.pathname = `/${MIGRATED_TEMPLATE}`;
  const { migrate } = await import('../database/migrate.ts');
  await migrate(url.href);
}

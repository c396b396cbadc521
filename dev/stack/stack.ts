import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  connectionSettings,
  createCoreProcesses,
  createSandboxProcess,
  requireFreeAppPorts,
  type AppContext,
  type AppProcess,
} from './app.ts';
import { LAYERS, startInfrastructure, type Infrastructure } from './infrastructure.ts';
import type { ManagedProcess, ProcessEvents } from './managed-process.ts';
import { operatorToken } from './operator-token.ts';
import { type StackSettings } from './settings.ts';
import { CONNECTIONS_FILE } from '../../platform/project.ts';
import { messageOf, StackError, type Reporter } from './stack-error.ts';
import { fileNameOf, openStateFolder, type StateFolder } from './state-folder.ts';
import { planZipkin, type Zipkin } from './zipkin.ts';

export type RunningStack = {
  readonly databaseUrl: string;
  readonly temporalUiUrl: string | undefined;
  /** Where traces are shown, also while Zipkin is still on its way up. */
  readonly zipkinUrl: string | undefined;
  /** With which somebody signs in at the operators' desk; undefined if a setting says how. */
  readonly operatorToken: string | undefined;
  /** The product's own processes, whose warnings a person should see. */
  readonly processes: readonly ManagedProcess[];
};

/** All parts of the product as one thing that goes up and down. */
export type Stack = {
  /**
   * Brings everything up, each part as soon as those that it needs are ready.
   * @throws StackError saying what is in the way and how to fix it; `down` then ends what was started
   */
  readonly up: () => Promise<RunningStack>;
  /** Ends what runs, layer by layer: first nothing new comes in, then what is under way ends, then what it stood on. */
  readonly down: () => Promise<void>;
  /** Ends everything at once. Nothing is lost by it: the next start goes on where this one was. */
  readonly kill: () => Promise<void>;
};

/** The stack of these settings, not started yet. */
export function createStack(settings: StackSettings, log: Reporter): Stack {
  const ending = new AbortController();
  const parts: { readonly layer: number; readonly process: ManagedProcess }[] = [];
  /** What `up` has begun; `down` waits until all of it has ended, one way or the other. */
  const begun: Promise<unknown>[] = [];
  let state: StateFolder | undefined;

  function onStart(process: ManagedProcess, layer: number): void {
    if (ending.signal.aborted) throw new StackError('The start was broken off.');
    parts.push({ layer, process });
  }

  function events(name: string): ProcessEvents {
    return {
      died: (what, restartAfterMs) => {
        log.warn(`${name}: ${what}; starting it again in ${restartAfterMs / 1000} s`);
      },
      keepsDying: (what, deaths, restartEveryMs) => {
        log.warn(
          `${name}: ${what}, ${deaths} times now without a minute in between. It is started again every ` +
            `${restartEveryMs / 1000} s, and the other parts wait for it; once the cause is fixed it comes back by itself. ` +
            `Its log: ${join(settings.stateDir, 'logs', `${fileNameOf(name)}.log`)}`,
        );
      },
      restarted: () => {
        log.warn(`${name}: up again`);
      },
    };
  }

  async function start(process: AppProcess): Promise<void> {
    const startedAt = performance.now();
    onStart(process, process.layer);
    await process.start();
    log.up(process.name, process.detail, performance.now() - startedAt);
  }

  async function startDatabaseAndTemporal(folder: StateFolder): Promise<Infrastructure> {
    const infrastructure = await startInfrastructure({
      state: folder,
      log,
      ports: settings.ports,
      durable: true,
      external: settings.external,
      namespace: settings.namespace,
      temporalCliPath: settings.temporalCliPath,
      events,
      onStart,
      signal: ending.signal,
    });
    const { migrate, MigrationError } = await import('../../database/migrate.ts');
    try {
      await migrate(infrastructure.databaseUrl);
    } catch (error) {
      throw error instanceof MigrationError ? new StackError(error.message) : error;
    }
    return infrastructure;
  }

  /** Traces are nothing that orders wait for, nor fail by. */
  async function startZipkin({ url, create }: Zipkin): Promise<void> {
    const startedAt = performance.now();
    try {
      const zipkin = await create?.(ending.signal);
      if (zipkin === undefined) return;
      onStart(zipkin, LAYERS.sandbox);
      await zipkin.start();
      log.up('Zipkin', url, performance.now() - startedAt);
    } catch (error) {
      if (!ending.signal.aborted) log.warn(`No traces are kept: ${messageOf(error)}`);
    }
  }

  /** What is begun with this, `down` waits for. */
  function begin<T>(promise: Promise<T>): Promise<T> {
    begun.push(promise);
    return promise;
  }

  async function up(): Promise<RunningStack> {
    const opened = await openStateFolder(settings.stateDir);
    const folder = opened.folder;
    state = folder;
    if (opened.ended.length > 0) log.warn(`Ended what an earlier start left running: ${opened.ended.join(', ')}`);
    await requireFreeAppPorts(settings);
    const zipkin = await findZipkin(settings, folder, log, events('Zipkin'));

    const context: AppContext = { settings, state: folder, events };
    const sandbox = settings.external.stripe ? [] : [createSandboxProcess(context)];
    const [infrastructure] = await Promise.all([
      begin(startDatabaseAndTemporal(folder)),
      ...sandbox.map((process) => begin(start(process))),
    ]);

    const connections = connectionSettings(settings, { ...infrastructure, zipkinUrl: zipkin?.url });
    const lines = Object.entries(connections).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(folder.file(CONNECTIONS_FILE), lines.join(''), { mode: 0o600 });

    const token = settings.external.operators ? undefined : operatorToken(folder);
    const core = createCoreProcesses(context, connections, token);
    await Promise.all(core.map((process) => begin(start(process))));
    if (zipkin !== undefined) void begin(startZipkin(zipkin));
    return {
      databaseUrl: infrastructure.databaseUrl,
      temporalUiUrl: infrastructure.temporalUiUrl,
      zipkinUrl: zipkin?.url,
      operatorToken: token,
      processes: [...sandbox, ...core],
    };
  }

  async function down(): Promise<void> {
    ending.abort();
    await endByLayers(parts);
    await Promise.allSettled(begun);
    if (state === undefined) return;
    rmSync(state.file(CONNECTIONS_FILE), { force: true });
    state.release();
  }

  async function kill(): Promise<void> {
    ending.abort();
    await Promise.all(parts.map(({ process }) => process.kill()));
  }

  return { up, down, kill };
}

async function endByLayers(parts: readonly { layer: number; process: ManagedProcess }[]): Promise<void> {
  const layers = [...new Set(parts.map(({ layer }) => layer))].sort((a, b) => b - a);
  for (const layer of layers) {
    await Promise.all(parts.filter((part) => part.layer === layer).map(({ process }) => process.stop()));
  }
}

/** Undefined if traces go elsewhere, or can't be shown on this machine; a message says how to fix that. */
async function findZipkin(
  settings: StackSettings,
  state: StateFolder,
  log: Reporter,
  events: ProcessEvents,
): Promise<Zipkin | undefined> {
  const { zipkinUrl, collector } = settings.external;
  if (zipkinUrl !== undefined) return { url: zipkinUrl, create: undefined };
  if (collector) return undefined;
  const zipkin = await planZipkin(settings.ports.zipkin, state, log, events);
  if (!('missing' in zipkin)) return zipkin;
  log.warn(`No Zipkin: ${zipkin.missing}. With Docker: \`docker compose up -d zipkin\``);
  return undefined;
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseEnv } from 'node:util';
import { expect, vi } from 'vitest';
import { isPortFree } from '../../dev/stack/ports.ts';
import { freePort } from '../../platform/free-port.ts';
import { CONNECTIONS_FILE } from '../../platform/project.ts';
import { systemDataFolder } from '../../dev/stack/postgres-place.ts';
import { isAlive, type ProcessIdentity, signalProcess } from '../../dev/stack/process-identity.ts';
import { removeStateFolder } from '../../dev/stack/state-folder.ts';

const PROJECT = join(import.meta.dirname, '..', '..');
const UP_TIMEOUT_MS = 150_000;

/** The stack of `npm start`, on ports and in a folder of its own. */
export type StartedStack = {
  readonly apiUrl: string;
  readonly sandboxUrl: string;
  /** The settings by which another program works with it. */
  readonly connections: () => Readonly<Record<string, string | undefined>>;
  /** Starts it, also again, and waits until it says that it is ready. */
  readonly start: () => Promise<void>;
  /** Ends the start process and all that it started by SIGKILL; returns the names of what that was. */
  readonly crash: () => Promise<string[]>;
  /** Ends what runs and removes what it kept. */
  readonly remove: () => Promise<void>;
};

export async function prepareStack(): Promise<StartedStack> {
  const folder = mkdtempSync(join(tmpdir(), 'start-crash-'));
  const stateDir = join(folder, 'state');
  const [apiPort, sandboxPort] = [await freePort(), await freePort()];
  const environment = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'],
    TEMPORAL_CLI_PATH: process.env['TEMPORAL_CLI_PATH'],
    STATE_DIR: stateDir,
    API_PORT: String(apiPort),
    WEBHOOK_PORT: String(await freePort()),
    STRIPE_SANDBOX_PORT: String(sandboxPort),
    OPERATIONS_PORT: String(await freeRunOfPorts(3)),
    TEMPORAL_PORT: String(await freePort()),
    TEMPORAL_UI_PORT: String(await freePort()),
    // Traces go nowhere: whether there is a Java on the machine is no matter of these tests.
    ZIPKIN_URL: `http://127.0.0.1:${await freePort()}`,
  };
  let running: ChildProcess | undefined;

  async function start(): Promise<void> {
    const child = spawn(process.execPath, ['--import', 'tsx', join(PROJECT, 'dev', 'stack', 'start.ts')], {
      cwd: PROJECT,
      env: environment,
    });
    running = child;
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    await vi.waitFor(
      () => {
        if (child.exitCode !== null) throw new Error(`npm start ended: ${output}`);
        expect(output).toContain('Ready in');
      },
      { timeout: UP_TIMEOUT_MS, interval: 100 },
    );
  }

  async function crash(): Promise<string[]> {
    const children = recordedProcesses(stateDir);
    // First the one that would start the others again.
    await kill(running);
    for (const child of children) signalProcess(child, 'SIGKILL');
    await vi.waitFor(() => expect(children.filter(isAlive)).toEqual([]), { timeout: 10_000 });
    return children.map(({ name }) => name).sort();
  }

  return {
    apiUrl: `http://127.0.0.1:${apiPort}`,
    sandboxUrl: `http://127.0.0.1:${sandboxPort}`,
    connections: () => parseEnv(readFileSync(join(stateDir, CONNECTIONS_FILE), 'utf8')),
    start,
    crash,
    remove: async () => {
      await kill(running);
      await removeStateFolder(stateDir, [systemDataFolder(stateDir)]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function kill(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

function recordedProcesses(stateDir: string): (ProcessIdentity & { name: string })[] {
  const records = join(stateDir, 'processes');
  return readdirSync(records).map((name) => JSON.parse(readFileSync(join(records, name), 'utf8')));
}

async function freeRunOfPorts(count: number): Promise<number> {
  const first = await freePort();
  const free = await Promise.all(Array.from({ length: count }, (_, index) => isPortFree(first + index)));
  return free.every(Boolean) ? first : freeRunOfPorts(count);
}

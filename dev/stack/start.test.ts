import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { isPortFree } from './ports.ts';
import { freePort } from '../../platform/free-port.ts';
import { systemDataFolder } from './postgres-place.ts';
import { isAlive, type ProcessIdentity } from './process-identity.ts';
import { removeStateFolder } from './state-folder.ts';

const PROJECT = join(import.meta.dirname, '..', '..');
const UP_TIMEOUT_MS = 150_000;

let folder: string;
let environment: Record<string, string>;
const runs: ChildProcess[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'start-test-'));
  const operationsPort = await freeRunOfPorts(3);
  environment = {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '',
    STATE_DIR: join(folder, 'state'),
    API_PORT: String(await freePort()),
    WEBHOOK_PORT: String(await freePort()),
    STRIPE_SANDBOX_PORT: String(await freePort()),
    OPERATIONS_PORT: String(operationsPort),
    TEMPORAL_PORT: String(await freePort()),
    TEMPORAL_UI_PORT: String(await freePort()),
    // Traces go nowhere: whether there is a Java on the machine is no matter of these tests.
    ZIPKIN_URL: `http://127.0.0.1:${await freePort()}`,
  };
});

afterEach(async () => {
  for (const run of runs.splice(0)) {
    if (run.exitCode !== null || run.signalCode !== null) continue;
    run.kill('SIGKILL');
    await once(run, 'exit');
  }
  await removeStateFolder(stateFolder(), [systemDataFolder(stateFolder())]);
  rmSync(folder, { recursive: true, force: true });
});

function stateFolder(): string {
  return environment['STATE_DIR'] ?? '';
}

/** Runs `npm start` or `npm run reset`, without npm. */
function run(script: 'start' | 'reset', change: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['--import', 'tsx', join(PROJECT, 'dev', 'stack', `${script}.ts`)], {
    cwd: PROJECT,
    env: { ...environment, ...change },
  });
  runs.push(child);
  let output = '';
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  return {
    child,
    output: () => output,
    exited,
    ready: async () => {
      await vi.waitFor(
        () => {
          if (child.exitCode !== null) throw new Error(`it ended: ${output}`);
          expect(output).toContain('Ready in');
        },
        { timeout: UP_TIMEOUT_MS, interval: 100 },
      );
    },
  };
}

function recordedProcesses(): (ProcessIdentity & { name: string })[] {
  const records = join(stateFolder(), 'processes');
  return readdirSync(records).map((name) => JSON.parse(readFileSync(join(records, name), 'utf8')));
}

async function freeRunOfPorts(count: number): Promise<number> {
  const first = await freePort();
  const free = await Promise.all(Array.from({ length: count }, (_, index) => isPortFree(first + index)));
  return free.every(Boolean) ? first : freeRunOfPorts(count);
}

async function createOrder(): Promise<string> {
  const customerID = 'customer-1';
  const answer = await fetch(`http://127.0.0.1:${environment['API_PORT']}/api/customer/${customerID}/create`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ customerID, items: [{ itemID: 'prod_SNjRcpjxpiazxk', quantity: 1 }] }),
  });
  const { data } = (await answer.json()) as { data: { order_id: string } };
  expect(answer.status).toBe(200);
  return `/api/customer/${customerID}/orders/${data.order_id}`;
}

/** Does what a newcomer is told to do: opens the shop, and signs in at the desk. Gives the token. */
async function lookAround(output: string): Promise<string> {
  const url = `http://127.0.0.1:${environment['API_PORT']}`;
  expect(output).toContain(`Open the shop: ${url}/\n`);
  expect((await fetch(`${url}/`)).status).toBe(200);
  const token = / \(sign in with (?<token>\w+)\)/.exec(output)?.groups?.['token'] ?? '';
  const signedIn = await fetch(`${url}/operator/sign-in`, {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ token }),
  });
  expect([signedIn.status, signedIn.headers.get('location')]).toEqual([303, '/operator']);
  return token;
}

async function statusOf(orderPath: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${environment['API_PORT']}${orderPath}`);
  return ((await answer.json()) as { data: { status: string } }).data.status;
}

describe('npm start', { timeout: 2 * UP_TIMEOUT_MS + 60_000 }, () => {
  test('brings all up, goes on after kill -9, and leaves nothing when it is stopped', async () => {
    const first = run('start');
    await first.ready();
    const token = await lookAround(first.output());
    const orderPath = await createOrder();
    const left = recordedProcesses();
    expect(left.map(({ name }) => name).sort()).toEqual([
      'Orders API',
      'PostgreSQL',
      'Stripe sandbox',
      'Temporal',
      'Webhook receiver',
      'Workers',
    ]);

    for (const script of ['start', 'reset'] as const) {
      const refused = run(script);
      expect(await refused.exited).toBe(1);
      expect(refused.output()).toContain(`It runs already (process ${first.child.pid}, state in ${stateFolder()})`);
    }

    first.child.kill('SIGKILL');
    await first.exited;
    expect(left.filter(isAlive)).toHaveLength(left.length);

    const second = run('start');
    await second.ready();
    expect(second.output()).toContain('Ended what an earlier start left running');
    expect(await lookAround(second.output())).toBe(token);
    expect(left.filter(isAlive)).toEqual([]);
    await vi.waitFor(async () => expect(await statusOf(orderPath)).toBe('WAITING_FOR_PAYMENT'), { timeout: 60_000 });

    const processes = recordedProcesses();
    second.child.kill('SIGTERM');
    expect(await second.exited).toBe(0);
    expect(second.output()).toMatch(/Stopped\.\s*$/);
    expect(processes.filter(isAlive)).toEqual([]);
    expect(recordedProcesses()).toEqual([]);

    const reset = run('reset');
    expect(await reset.exited).toBe(0);
    expect(existsSync(stateFolder())).toBe(false);
  });

  test('stops everything when nobody reads what it says any more', async () => {
    const start = run('start');
    await vi.waitFor(() => expect(start.output()).toContain('PostgreSQL'), { timeout: UP_TIMEOUT_MS });
    start.child.stdout.destroy();
    expect(await start.exited).toBe(0);
    expect(recordedProcesses()).toEqual([]);
  });

  test('says in a line which port is taken and how to fix it, and starts nothing', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const start = run('start', { API_PORT: String(port) });
      expect(await start.exited).toBe(1);
      expect(start.output()).toMatch(
        new RegExp(`✗ Port ${port}, for the orders API, is taken.*set API_PORT to a free port`),
      );
      expect(recordedProcesses()).toEqual([]);
    } finally {
      server.close();
    }
  });

  test('ends what it has begun when a part can’t come up, and says why', async () => {
    const start = run('start', { TEMPORAL_CLI_PATH: join(folder, 'no-such-program') });
    expect(await start.exited).toBe(1);
    expect(start.output()).toMatch(/✗ TEMPORAL_CLI_PATH: .*no-such-program can't be run/);
    expect(recordedProcesses()).toEqual([]);
  });

  test('names a setting that is wrong', async () => {
    const start = run('start', { PAYMENT_WINDOW_SECONDS: '0' });
    expect(await start.exited).toBe(1);
    expect(start.output()).toContain('PAYMENT_WINDOW_SECONDS');
    expect(existsSync(stateFolder())).toBe(false);
  });
});

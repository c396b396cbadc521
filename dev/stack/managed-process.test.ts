import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { managedProcess, type ManagedProcess, type ProcessSpec } from './managed-process.ts';
import { must } from '../../domain/must.ts';
import { identify, isAlive } from './process-identity.ts';
import { openStateFolder, type StateFolder } from './state-folder.ts';

let path: string;
let state: StateFolder;
const started: ManagedProcess[] = [];

beforeEach(async () => {
  path = mkdtempSync(join(tmpdir(), 'stack-test-'));
  ({ folder: state } = await openStateFolder(path));
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((child) => child.kill()));
  state.release();
  rmSync(path, { recursive: true });
});

/** A child that runs a line of JavaScript and is ready when it has written `ready` to its log. */
function child(script: string, change: Partial<ProcessSpec> = {}, events?: Parameters<typeof managedProcess>[2]) {
  const logFile = join(path, 'logs', 'child.log');
  const spec: ProcessSpec = {
    name: 'Child',
    command: process.execPath,
    args: ['-e', script],
    env: {},
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 5000,
    layer: 0,
    checkReady: async () => readFileSync(logFile, 'utf8').includes('ready') || { waitsFor: 'it says nothing' },
    readyTimeoutMs: 10_000,
    ...change,
  };
  const made = managedProcess(spec, state, events);
  started.push(made);
  return made;
}

const LIVES = 'console.log("ready"); setInterval(() => {}, 1000);';

describe('a managed process', () => {
  test('is recorded while it runs, and forgotten when it is stopped', async () => {
    const running = child(LIVES);
    await running.start();
    const pid = running.pid() ?? 0;
    const record = JSON.parse(readFileSync(join(path, 'processes', 'child.json'), 'utf8')) as object;
    expect(record).toMatchObject({ name: 'Child', ...identify(pid), stopSignal: 'SIGTERM' });
    await running.stop();
    expect(isAlive(identify(pid))).toBe(false);
    expect(() => readFileSync(join(path, 'processes', 'child.json'))).toThrow(/ENOENT/);
  });

  test('that ends before it is ready is reported with its exit code, its log file and its last lines', async () => {
    const broken = child('console.error("no such table: orders"); process.exit(3);');
    await expect(broken.start()).rejects.toThrow(
      /^Child ended with exit code 3 before it was ready\. Its last lines \(.*child\.log\):\n {2}no such table: orders$/,
    );
    expect(broken.pid()).toBeUndefined();
  });

  test('whose program is missing is reported', async () => {
    await expect(child('', { command: '/nowhere/temporal' }).start()).rejects.toThrow(
      "Child can't be started: spawn /nowhere/temporal ENOENT.",
    );
  });

  test('that can’t be recorded, on a full disk for example, is not left running', async () => {
    mkdirSync(join(path, 'processes', 'child.json.new'));
    const unrecorded = child('console.log(process.pid); setInterval(() => {}, 1000);');
    const spawned = vi.spyOn(state, 'record');
    await expect(unrecorded.start()).rejects.toThrow('EISDIR');
    const { pid } = must(spawned.mock.calls[0]?.[0], 'a process to record');
    await vi.waitFor(() => expect(isAlive(identify(pid))).toBe(false), { timeout: 10_000 });
  });

  test('that is not ready in time is ended, and what it waits for is told', async () => {
    const slow = child('console.log(process.pid); setInterval(() => {}, 1000);', { readyTimeoutMs: 300 });
    await expect(slow.start()).rejects.toThrow(/^Child was not ready within 0\.3 s: it says nothing\./);
    const pid = Number(readFileSync(slow.logFile, 'utf8').trim());
    expect(isAlive(identify(pid))).toBe(false);
  });

  test('that ignores its stop signal is killed when its time is over', async () => {
    const stubborn = child(`process.on('SIGTERM', () => console.log('no')); ${LIVES}`, { stopTimeoutMs: 200 });
    await stubborn.start();
    const identity = identify(stubborn.pid() ?? 0);
    await stubborn.stop();
    expect(readFileSync(stubborn.logFile, 'utf8')).toContain('no');
    expect(isAlive(identity)).toBe(false);
  });

  function listener() {
    return {
      died: vi.fn<(what: string, pauseMs: number) => void>(),
      keepsDying: vi.fn<(what: string, deaths: number, everyMs: number) => void>(),
      restarted: vi.fn<() => void>(),
    };
  }

  /** Kills it, and waits until another one is there. */
  async function killAndWait(mortal: ManagedProcess): Promise<void> {
    const pid = mortal.pid() ?? 0;
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect([undefined, pid]).not.toContain(mortal.pid()), { timeout: 10_000 });
  }

  test('that dies is started again as often as it takes; that it keeps dying is told once', async () => {
    const events = listener();
    const mortal = child(LIVES, { restarts: { pausesMs: [1, 2, 3], steadyAfterMs: 60_000 } }, events);
    await mortal.start();
    for (let deaths = 1; deaths <= 5; deaths += 1) await killAndWait(mortal);
    expect(events.died.mock.calls).toEqual([
      ['was ended by SIGKILL', 1],
      ['was ended by SIGKILL', 2],
    ]);
    expect(events.keepsDying.mock.calls).toEqual([['was ended by SIGKILL', 3, 3]]);
    expect(events.restarted).toHaveBeenCalledTimes(2);
  });

  test('that kept dying is told to be up once it is steady, and its deaths are counted from zero', async () => {
    const events = listener();
    const mortal = child(LIVES, { restarts: { pausesMs: [1], steadyAfterMs: 50 } }, events);
    await mortal.start();
    await killAndWait(mortal);
    await vi.waitFor(() => expect(events.restarted).toHaveBeenCalledOnce(), { timeout: 10_000 });
    await killAndWait(mortal);
    expect(events.keepsDying.mock.calls).toEqual([
      ['was ended by SIGKILL', 1, 1],
      ['was ended by SIGKILL', 1, 1],
    ]);
  });

  test('that can’t come up again for a while, such as for a taken port, comes up once it can', async () => {
    const events = listener();
    const obstacle = join(path, 'obstacle');
    const script = `if (require('node:fs').existsSync(${JSON.stringify(obstacle)})) process.exit(7); ${LIVES}`;
    const mortal = child(script, { restarts: { pausesMs: [1, 2, 3], steadyAfterMs: 60_000 } }, events);
    await mortal.start();
    writeFileSync(obstacle, '');
    process.kill(mortal.pid() ?? 0, 'SIGKILL');
    await vi.waitFor(() => expect(events.keepsDying).toHaveBeenCalledOnce(), { timeout: 20_000 });
    expect(events.keepsDying.mock.calls[0]?.[0]).toContain('ended with exit code 7');
    rmSync(obstacle);
    await vi.waitFor(() => expect(readFileSync(mortal.logFile, 'utf8').split('ready')).toHaveLength(3), {
      timeout: 10_000,
    });
  });

  test('that is stopped while it waits for its restart stays down', async () => {
    const events = listener();
    const mortal = child(LIVES, { restarts: { pausesMs: [60_000, 60_000], steadyAfterMs: 60_000 } }, events);
    await mortal.start();
    process.kill(mortal.pid() ?? 0, 'SIGKILL');
    await vi.waitFor(() => expect(events.died).toHaveBeenCalledOnce(), { timeout: 10_000 });
    await mortal.stop();
    expect(mortal.pid()).toBeUndefined();
    expect(events.restarted).not.toHaveBeenCalled();
  });
});

describe('what a killed owner left', () => {
  /** Another process that owns a state folder and starts a child on it. */
  async function ownerWithChild(folder: string) {
    const script = `
      import { openStateFolder } from ${JSON.stringify(join(import.meta.dirname, 'state-folder.ts'))};
      import { managedProcess } from ${JSON.stringify(join(import.meta.dirname, 'managed-process.ts'))};
      const { folder } = await openStateFolder(${JSON.stringify(folder)});
      const child = managedProcess({ name: 'Orphan', command: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'],
        env: {}, stopSignal: 'SIGTERM', stopTimeoutMs: 5000, layer: 0, checkReady: async () => true, readyTimeoutMs: 5000 }, folder);
      await child.start();
      console.log(child.pid());
      setInterval(() => {}, 1000);`;
    const file = join(path, 'owner.mts');
    writeFileSync(file, script);
    const owner = spawn(process.execPath, ['--import', 'tsx', file], { cwd: join(import.meta.dirname, '..', '..') });
    const [line] = (await once(owner.stdout, 'data')) as [Buffer];
    return { owner, orphan: identify(Number(line.toString())) };
  }

  test('is ended by the next one, and a second owner is refused while the first lives', async () => {
    const folder = join(path, 'owned');
    const { owner, orphan } = await ownerWithChild(folder);
    await expect(openStateFolder(folder)).rejects.toThrow(
      `It runs already (process ${owner.pid}, state in ${folder}). Stop that one first, with Ctrl-C there or: kill ${owner.pid}`,
    );
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    expect(isAlive(orphan)).toBe(true);
    const { folder: taken, ended } = await openStateFolder(folder);
    expect(ended).toEqual(['Orphan']);
    expect(isAlive(orphan)).toBe(false);
    taken.release();
  });

  test('is left alone if another program has its process id by now', async () => {
    const bystander = child(LIVES);
    await bystander.start();
    const pid = bystander.pid() ?? 0;
    const folder = join(path, 'stale');
    const { folder: first } = await openStateFolder(folder);
    const record = { name: 'Gone', pid, startedAt: 'long ago', stopSignal: 'SIGKILL', stopTimeoutMs: 100, layer: 0 };
    writeFileSync(first.file('processes', 'gone.json'), JSON.stringify(record));
    first.release();
    const { folder: second, ended } = await openStateFolder(folder);
    expect(ended).toEqual([]);
    expect(isAlive(identify(pid))).toBe(true);
    second.release();
  });
});

import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, renameSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { must } from '../../domain/must.ts';
import { identify, signalProcess, type ProcessIdentity } from './process-identity.ts';
import { messageOf, StackError } from './stack-error.ts';
import { fileNameOf, type StateFolder } from './state-folder.ts';

/** Not ready yet, and what it waits for, for the message when the time is over. */
export type NotReady = { readonly waitsFor: string };

export type ProcessSpec = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Another user for the process, which only root may ask for. */
  readonly user?: { readonly uid: number; readonly gid: number };
  readonly stopSignal: NodeJS.Signals;
  /** After this it is killed. */
  readonly stopTimeoutMs: number;
  /** SIGKILL, unless the process has a better way to end at once. */
  readonly killSignal?: NodeJS.Signals;
  readonly layer: number;
  readonly checkReady: () => Promise<true | NotReady>;
  readonly readyTimeoutMs: number;
  /** How restarts go, unless a test is in a hurry. */
  readonly restarts?: RestartPolicy;
};

type RestartPolicy = {
  /** How long each restart waits after a death; later ones wait as long as the last. */
  readonly pausesMs: readonly number[];
  /** Who lives so long is steady: its deaths are counted from zero. */
  readonly steadyAfterMs: number;
};

/** What happens to a process that was up. */
export type ProcessEvents = {
  /** It ended by itself, and is started again after the pause. */
  readonly died: (what: string, restartAfterMs: number) => void;
  /** It ended so often without being steady that pauses grow no longer; told once, until it is steady again. */
  readonly keepsDying: (what: string, deaths: number, restartEveryMs: number) => void;
  /** It is up again; steadily, if it kept dying before. */
  readonly restarted: () => void;
};

export type ManagedProcess = {
  readonly name: string;
  readonly logFile: string;
  /** Undefined while it is down. */
  readonly pid: () => number | undefined;
  /**
   * Starts it and waits until it is ready.
   * @throws StackError with its last log lines when it ends before that, or isn't ready in time
   */
  readonly start: () => Promise<void>;
  /** Ends it by its stop signal, and by SIGKILL when its time is over; waits until it is gone. */
  readonly stop: () => Promise<void>;
  /** Ends it at once, as a crash would; waits until it is gone. */
  readonly kill: () => Promise<void>;
  /** Sends its stop signal and waits for nothing, for a parent that exits in this moment. */
  readonly signalEnd: () => void;
};

const RESTARTS: RestartPolicy = { pausesMs: [500, 1000, 2000, 5000, 10_000, 30_000], steadyAfterMs: 60_000 };

const POLL_MS = 40;

/** It did not come up; the message goes on from its name. */
class NotUpError extends Error {
  override readonly name = 'NotUpError';
}

type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };
type Running = {
  readonly child: ChildProcess;
  readonly identity: ProcessIdentity;
  readonly exited: Promise<Exit>;
  readonly hasExited: () => Exit | undefined;
};

/**
 * A child process with its log file, its readiness, its end and, with `events`, its restarts: it is started again for
 * as long as it takes, since what it fails by may pass (a full disk, a taken port) while others wait for it.
 *
 * Each child has its own process group: Ctrl-C reaches only the stack, which then stops the parts in their order.
 * Children write to their log files directly, so that they are not torn down by a broken pipe if the stack is killed.
 */
export function managedProcess(spec: ProcessSpec, state: StateFolder, events?: ProcessEvents): ManagedProcess {
  const logFile = state.file('logs', `${fileNameOf(spec.name)}.log`);
  let running: Running | undefined;
  const { pausesMs, steadyAfterMs } = spec.restarts ?? RESTARTS;
  let stopping = false;
  let deaths = 0;
  let upSince = 0;
  let steady: NodeJS.Timeout | undefined;
  let pauseIsOver = new AbortController();

  async function start(): Promise<void> {
    stopping = false;
    pauseIsOver = new AbortController();
    keepPreviousLog(logFile);
    try {
      await up();
    } catch (error) {
      if (error instanceof NotUpError) throw new StackError(`${spec.name} ${error.message}.${lastLines(logFile)}`);
      throw error;
    }
  }

  async function up(): Promise<void> {
    running = launch(spec, logFile, state);
    try {
      await untilReady(spec, running);
    } catch (error) {
      await end(running, 'SIGKILL', 5000);
      running = undefined;
      state.forget(spec.name);
      throw error;
    }
    upSince = Date.now();
    if (events !== undefined) void watch(running, events);
  }

  async function watch(current: Running, on: ProcessEvents): Promise<void> {
    const exit = await current.exited;
    clearTimeout(steady);
    if (stopping) return;
    running = undefined;
    state.forget(spec.name);
    if (Date.now() - upSince >= steadyAfterMs) deaths = 0;
    await restart(describeExit(exit), on);
  }

  async function restart(what: string, on: ProcessEvents): Promise<void> {
    deaths += 1;
    const pauseMs = must(pausesMs[Math.min(deaths, pausesMs.length) - 1], 'a pause');
    if (deaths < pausesMs.length) on.died(what, pauseMs);
    if (deaths === pausesMs.length) on.keepsDying(what, deaths, pauseMs);
    try {
      await sleep(pauseMs, undefined, { signal: pauseIsOver.signal });
      if (stopping) return;
      await up();
      if (deaths < pausesMs.length) on.restarted();
      else steady = setTimeout(on.restarted, steadyAfterMs);
    } catch (error) {
      if (!stopping) await restart(messageOf(error), on);
    }
  }

  async function down(signal: NodeJS.Signals): Promise<void> {
    stopping = true;
    pauseIsOver.abort();
    clearTimeout(steady);
    if (running === undefined) return;
    await end(running, signal, spec.stopTimeoutMs);
    running = undefined;
    state.forget(spec.name);
  }

  return {
    name: spec.name,
    logFile,
    pid: () => running?.identity.pid,
    start,
    stop: () => down(spec.stopSignal),
    kill: () => down(spec.killSignal ?? 'SIGKILL'),
    signalEnd: () => {
      if (running !== undefined) signalProcess(running.identity, spec.stopSignal);
    },
  };
}

function launch(spec: ProcessSpec, logFile: string, state: StateFolder): Running {
  const log = openSync(logFile, 'a');
  const child = spawn(spec.command, spec.args, {
    env: spec.env,
    detached: true,
    stdio: ['ignore', log, log],
    ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
    ...spec.user,
  });
  closeSync(log);
  let exit: Exit | undefined;
  const exited = new Promise<Exit>((resolve, reject) => {
    // Not once: a later one, of a signal that can't be sent, would end the stack.
    child.on('error', (error) => {
      reject(new NotUpError(`can't be started: ${error.message}`));
    });
    child.once('exit', (code, signal) => {
      exit = { code, signal };
      resolve(exit);
    });
  });
  exited.catch(() => undefined);
  const { pid } = child;
  if (pid !== undefined) {
    const { name, stopSignal, stopTimeoutMs, layer } = spec;
    try {
      state.record({ name, pid, stopSignal, stopTimeoutMs, layer });
    } catch (error) {
      // The disk is full, for example. Left running it would hold the port of the next one.
      child.kill('SIGKILL');
      throw error;
    }
  }
  return { child, identity: identify(pid ?? 0), exited, hasExited: () => exit };
}

async function untilReady(spec: ProcessSpec, running: Running): Promise<void> {
  const deadline = Date.now() + spec.readyTimeoutMs;
  for (;;) {
    // One that can't be spawned has no process id; `exited` says why.
    if (running.child.pid === undefined) await running.exited;
    const exit = running.hasExited();
    if (exit !== undefined) {
      throw new NotUpError(`${describeExit(exit)} before it was ready`);
    }
    const readiness = await spec.checkReady();
    if (readiness === true && running.hasExited() === undefined) return;
    if (readiness !== true && Date.now() > deadline) {
      throw new NotUpError(`was not ready within ${spec.readyTimeoutMs / 1000} s: ${readiness.waitsFor}`);
    }
    await sleep(POLL_MS);
  }
}

async function end(running: Running, signal: NodeJS.Signals, timeoutMs: number): Promise<void> {
  if (running.child.pid === undefined || running.hasExited() !== undefined) return;
  signalProcess(running.identity, signal);
  const timer = setTimeout(() => {
    signalProcess(running.identity, 'SIGKILL');
  }, timeoutMs);
  await running.exited;
  clearTimeout(timer);
}

function describeExit({ code, signal }: Exit): string {
  return signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
}

/** One log file for this start, and one for the start before. */
function keepPreviousLog(logFile: string): void {
  if (existsSync(logFile)) renameSync(logFile, logFile.replace(/\.log$/, '.previous.log'));
}

function lastLines(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-8);
  const text = lines.join('\n  ').trim();
  return text === '' ? ` Its log is empty (${logFile}).` : ` Its last lines (${logFile}):\n  ${text}`;
}

/** Ready as soon as the URL answers 2xx; otherwise what it answered. */
export async function checkUrl(url: string): Promise<true | NotReady> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    if (response.ok) {
      await response.body?.cancel();
      return true;
    }
    return { waitsFor: `${url} answers ${response.status} ${(await response.text()).slice(0, 300)}` };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { waitsFor: `${url} doesn't answer (${messageOf(cause)})` };
  }
}

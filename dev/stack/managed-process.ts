import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, renameSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
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
  /** How long each restart after a death waits; given up after the last. */
  readonly restartPausesMs?: readonly number[];
};

/** What happens to a process that was up. */
export type ProcessEvents = {
  /** It ended by itself; it is started again after the pause, or given up when there is none. */
  readonly died: (what: string, restartAfterMs: number | undefined) => void;
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

/** A part that dies again and again is given up after the last of these; a minute of life fills them up again. */
const RESTART_PAUSES_MS = [500, 1000, 2000, 5000, 10_000];
const STEADY_AFTER_MS = 60_000;

const POLL_MS = 40;

type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };
type Running = {
  readonly child: ChildProcess;
  readonly identity: ProcessIdentity;
  readonly exited: Promise<Exit>;
  readonly hasExited: () => Exit | undefined;
};

/**
 * A child process with its log file, its readiness, its end and, with `events`, its restarts.
 *
 * Each child has its own process group: Ctrl-C reaches only the stack, which then stops the parts in their order.
 * Children write to their log files directly, so that they are not torn down by a broken pipe if the stack is killed.
 */
export function managedProcess(spec: ProcessSpec, state: StateFolder, events?: ProcessEvents): ManagedProcess {
  const logFile = state.file('logs', `${fileNameOf(spec.name)}.log`);
  let running: Running | undefined;
  let stopping = false;
  let restarts = 0;
  let upSince = 0;
  let pauseIsOver = new AbortController();

  async function start(): Promise<void> {
    stopping = false;
    pauseIsOver = new AbortController();
    keepPreviousLog(logFile);
    await up();
  }

  async function up(): Promise<void> {
    running = launch(spec, logFile, state);
    try {
      await untilReady(spec, running, logFile);
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
    if (stopping) return;
    running = undefined;
    state.forget(spec.name);
    if (Date.now() - upSince > STEADY_AFTER_MS) restarts = 0;
    await restart(describeExit(exit), on);
  }

  async function restart(what: string, on: ProcessEvents): Promise<void> {
    const pauseMs = (spec.restartPausesMs ?? RESTART_PAUSES_MS)[restarts];
    restarts += 1;
    on.died(what, pauseMs);
    if (pauseMs === undefined) return;
    try {
      await sleep(pauseMs, undefined, { signal: pauseIsOver.signal });
      if (stopping) return;
      await up();
      on.restarted();
    } catch (error) {
      if (!stopping) await restart(messageOf(error), on);
    }
  }

  async function down(signal: NodeJS.Signals): Promise<void> {
    stopping = true;
    pauseIsOver.abort();
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
    child.once('error', (error) => {
      reject(new StackError(`${spec.name} can't be started: ${error.message}`));
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
    state.record({ name, pid, stopSignal, stopTimeoutMs, layer });
  }
  return { child, identity: identify(pid ?? 0), exited, hasExited: () => exit };
}

async function untilReady(spec: ProcessSpec, running: Running, logFile: string): Promise<void> {
  const deadline = Date.now() + spec.readyTimeoutMs;
  for (;;) {
    // One that can't be spawned has no process id; `exited` says why.
    if (running.child.pid === undefined) await running.exited;
    const exit = running.hasExited();
    if (exit !== undefined) {
      throw new StackError(`${spec.name} ${describeExit(exit)} before it was ready.${lastLines(logFile)}`);
    }
    const readiness = await spec.checkReady();
    if (readiness === true && running.hasExited() === undefined) return;
    if (readiness !== true && Date.now() > deadline) {
      throw new StackError(
        `${spec.name} was not ready within ${spec.readyTimeoutMs / 1000} s: ${readiness.waitsFor}.${lastLines(logFile)}`,
      );
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

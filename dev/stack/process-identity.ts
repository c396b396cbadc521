import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import process from 'node:process';

/** A process of ours, told apart from a later one that the system gave the same id. */
export type ProcessIdentity = { readonly pid: number; readonly startedAt: string };

/** This process. */
export function ownIdentity(): ProcessIdentity {
  return identify(process.pid);
}

/**
 * Takes the identity of a process that was just started. One that is gone already gets an identity that nothing has.
 */
export function identify(pid: number): ProcessIdentity {
  return { pid, startedAt: processStartedAt(pid) ?? 'gone' };
}

/** Whether that very process still runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  return processStartedAt(identity.pid) === identity.startedAt;
}

/** Sends a signal to that very process; nothing happens when it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Undefined if there is no such process, or nothing but its exit code is left of it. */
function processStartedAt(pid: number): string | undefined {
  return process.platform === 'linux' ? startedAtByProc(pid) : startedAtByPs(pid);
}

/** Slim container images have no `ps`, but Linux always has /proc. */
function startedAtByProc(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field is the program's name in parentheses and may hold anything; from the third on all is plain.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const startedTicksAfterBoot = fields[19];
  if (state === undefined || startedTicksAfterBoot === undefined || state === 'Z' || state === 'X') return undefined;
  return `${bootId()}:${startedTicksAfterBoot}`;
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

function startedAtByPs(pid: number): string | undefined {
  try {
    const out = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    const [state, ...startedAt] = out.split(/\s+/);
    return state === undefined || state.startsWith('Z') ? undefined : startedAt.join(' ');
  } catch {
    return undefined;
  }
}

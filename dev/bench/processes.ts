import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** The processes of a stack by what they are, and how to find the first one of each. */
export type ProcessIds = Readonly<Record<string, () => number | undefined>>;

/** Milliseconds of one tick of the kernel's clock, in which it counts CPU time. */
const TICK_MS = 1000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/**
 * Reads from /proc what CPU time each process and its descendants have taken so far, in ms. Other work on the machine
 * changes it far less than it changes the time on the clock.
 */
export function cpuTimesMs(processes: ProcessIds): Record<string, number> {
  const all = statistics();
  const ofTree = (pid: number | undefined): number => {
    const own = pid === undefined ? undefined : all.get(pid);
    if (own === undefined) return 0;
    const children = [...all].filter(([, { parent }]) => parent === pid);
    return own.ticks + children.reduce((sum, [child]) => sum + ofTree(child), 0);
  };
  return Object.fromEntries(Object.entries(processes).map(([name, pid]) => [name, ofTree(pid()) * TICK_MS]));
}

/** Memory that a process keeps in RAM, in bytes. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

/** The parent of each process, and its CPU time with that of its children that have ended, in ticks. */
function statistics(): Map<number, { readonly parent: number; readonly ticks: number }> {
  const found = new Map<number, { parent: number; ticks: number }>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    let line: string;
    try {
      line = readFileSync(`/proc/${name}/stat`, 'utf8');
    } catch {
      continue; // It has ended since.
    }
    // The second field is the name in parentheses, which may hold anything. After it: state, parent, and from the twelfth
    // on the ticks in user and kernel mode, of the process and of its ended children.
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    found.set(Number(name), { parent: Number(fields[1]), ticks });
  }
  return found;
}

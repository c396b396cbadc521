import { open, type FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

/** People read no faster, and an idle stack shall not wake up for more. */
const POLL_MS = 1000;
/** The same warning again within this is not shown again: a dependency that is down says so many times a second. */
const QUIET_MS = 60_000;
/** How alarms begin. A person has to see to each, so one about another order is another one. */
const ALARM = 'An operator is needed';

const lineSchema = z.object({
  level: z.enum(['warn', 'error', 'fatal']),
  msg: z.string(),
  err: z.object({ message: z.string() }).optional(),
  orderId: z.string().optional(),
});

/**
 * Shows the warnings and errors that the product's processes write to their logs from now on, one short line each.
 *
 * @param signal ends it
 */
export async function tailWarnings(
  processes: readonly { readonly name: string; readonly logFile: string }[],
  show: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const shownAt = new Map<string, number>();
  const onLine = (name: string, line: string): void => {
    const warning = warningIn(line);
    if (warning === undefined) return;
    const { text, orderId } = warning;
    // What happens to every order while something is down is one warning.
    const kind = orderId === undefined || text.startsWith(ALARM) ? text : text.replaceAll(orderId, '');
    const now = Date.now();
    if (now - (shownAt.get(`${name}: ${kind}`) ?? -Infinity) < QUIET_MS) return;
    shownAt.set(`${name}: ${kind}`, now);
    show(`${name}: ${text}`);
  };
  await Promise.all(
    processes.map(({ name, logFile }) =>
      follow(logFile, signal, (line) => {
        onLine(name, line);
      }),
    ),
  );
}

/** The warning or error that a log line tells, for people; undefined for all other lines. */
function warningIn(line: string): { readonly text: string; readonly orderId: string | undefined } | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { data } = lineSchema.safeParse(parsed);
  if (data === undefined) return undefined;
  const { msg, err, orderId } = data;
  const order = orderId === undefined || msg.includes(orderId) ? '' : ` (order ${orderId})`;
  return { text: `${msg}${err === undefined ? '' : `: ${err.message.split('\n')[0]}`}${order}`, orderId };
}

async function follow(path: string, signal: AbortSignal, onLine: (line: string) => void): Promise<void> {
  const file = await open(path, 'r');
  try {
    let position = (await file.stat()).size;
    let rest = '';
    while (!signal.aborted) {
      const text = await readFrom(file, position);
      position += text.length;
      const lines = (rest + text.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
      await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await file.close();
  }
}

async function readFrom(file: FileHandle, position: number): Promise<Buffer> {
  const { size } = await file.stat();
  const buffer = Buffer.alloc(Math.min(Math.max(size - position, 0), 1_000_000));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
  return buffer.subarray(0, bytesRead);
}

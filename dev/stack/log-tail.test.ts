import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { tailWarnings } from './log-tail.ts';

function logLine(level: string, msg: string, more: object = {}): string {
  return `${JSON.stringify({ level, msg, ...more })}\n`;
}

type Tail = {
  readonly shown: readonly string[];
  readonly append: (text: string) => void;
};

async function withTail(act: (tail: Tail) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tail-test-'));
  const logFile = join(folder, 'workers.log');
  writeFileSync(logFile, logLine('error', 'from before'));
  const shown: string[] = [];
  const ended = new AbortController();
  const tail = tailWarnings([{ name: 'Workers', logFile }], (line) => shown.push(line), ended.signal);
  try {
    await act({ shown, append: (text) => appendFileSync(logFile, text) });
  } finally {
    ended.abort();
    await tail;
    rmSync(folder, { recursive: true });
  }
}

const PATIENCE = { timeout: 5000 };

test('new warnings and errors are shown once, with their cause and order; nothing else is', () =>
  withTail(async ({ shown, append }) => {
    await vi.waitFor(() => {
      // The file is opened some time after the call: written again until it is.
      append(logLine('warn', 'Stripe is slow'));
      expect(shown).toHaveLength(1);
    }, PATIENCE);
    append(`not JSON\n${logLine('info', 'fine')}${logLine('warn', 'Stripe is slow')}`);
    const err = { message: 'refused\nat line 1', stack: '…' };
    const line = logLine('error', 'No database', { err, orderId: '68ce' });
    // When the warning is shown, the half line behind it has been read too.
    append(logLine('warn', 'half follows') + line.slice(0, 9));
    await vi.waitFor(() => expect(shown).toHaveLength(2), PATIENCE);
    append(line.slice(9));
    await vi.waitFor(() => expect(shown).toHaveLength(3), PATIENCE);
    expect(shown).toEqual([
      'Workers: Stripe is slow',
      'Workers: half follows',
      'Workers: No database: refused (order 68ce)',
    ]);
  }));

test('what happens to every order is shown of one; an alarm is shown of each', () =>
  withTail(async ({ shown, append }) => {
    const away = (orderId: string) => logLine('error', `Order ${orderId} is not confirmed yet`, { orderId });
    const alarm = (orderId: string) => logLine('error', `An operator is needed: order ${orderId}`, { orderId });
    await vi.waitFor(() => {
      append(away('68c1'));
      expect(shown).toHaveLength(1);
    }, PATIENCE);
    append(away('68c2') + alarm('68c1') + alarm('68c2'));
    await vi.waitFor(() => expect(shown).toHaveLength(3), PATIENCE);
    expect(shown).toEqual([
      'Workers: Order 68c1 is not confirmed yet',
      'Workers: An operator is needed: order 68c1',
      'Workers: An operator is needed: order 68c2',
    ]);
  }));

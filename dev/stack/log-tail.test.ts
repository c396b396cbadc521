import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { tailWarnings } from './log-tail.ts';

function logLine(level: string, msg: string, more: object = {}): string {
  return `${JSON.stringify({ level, msg, ...more })}\n`;
}

test('new warnings and errors are shown once, with their cause and order; nothing else is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tail-test-'));
  const logFile = join(folder, 'workers.log');
  writeFileSync(logFile, logLine('error', 'from before'));
  const shown: string[] = [];
  const ended = new AbortController();
  const tail = tailWarnings([{ name: 'Workers', logFile }], (line) => shown.push(line), ended.signal);
  try {
    await vi.waitFor(() => {
      // The file is opened some time after the call: written again until it is.
      appendFileSync(logFile, logLine('warn', 'Stripe is slow'));
      expect(shown).toHaveLength(1);
    });
    appendFileSync(logFile, `not JSON\n${logLine('info', 'fine')}${logLine('warn', 'Stripe is slow')}`);
    const err = { message: 'refused\nat line 1', stack: '…' };
    const line = logLine('error', 'No database', { err, orderId: '68ce' });
    // When the warning is shown, the half line behind it has been read too.
    appendFileSync(logFile, logLine('warn', 'half follows') + line.slice(0, 9));
    await vi.waitFor(() => expect(shown).toHaveLength(2), { timeout: 5000 });
    appendFileSync(logFile, line.slice(9));
    await vi.waitFor(() => expect(shown).toHaveLength(3), { timeout: 5000 });
    expect(shown).toEqual([
      'Workers: Stripe is slow',
      'Workers: half follows',
      'Workers: No database: refused (order 68ce)',
    ]);
  } finally {
    ended.abort();
    await tail;
    rmSync(folder, { recursive: true });
  }
});

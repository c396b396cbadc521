import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { freePort } from '../platform/free-port.ts';
import { compiled } from './support/compiled.ts';

const DEADLINE_MS = 50_000;

/** Starts an entry of the product with nothing but these settings. */
function start(entry: string, settings: Record<string, string>) {
  const child = spawn(process.execPath, [compiled(entry)], {
    env: { PATH: process.env['PATH'], NODE_ENV: 'test', DATABASE_URL: inject('databaseUrl'), ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdout.resume();
  const exited = once(child, 'close').then(([code]) => ({ code: code as number | null, stderr }));
  return { stop: () => child.kill('SIGTERM'), exited };
}

async function untilAnswered(url: string): Promise<Response> {
  for (const deadline = Date.now() + DEADLINE_MS; ; await sleep(50)) {
    const response = await fetch(url).catch(() => undefined);
    if (response !== undefined) return response;
    if (Date.now() > deadline) throw new Error(`${url} did not answer`);
  }
}

describe.each(['api/orders-api.main.ts', 'workers/stock.ts'])('%s', { timeout: 60_000 }, (entry) => {
  test('is alive and not ready while Temporal is down, and ends at once when it is told to', async () => {
    const operationsPort = await freePort();
    const { stop, exited } = start(entry, {
      TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}`,
      API_PORT: String(await freePort()),
      OPERATIONS_PORT: String(operationsPort),
    });
    const url = `http://127.0.0.1:${operationsPort}`;
    expect((await untilAnswered(`${url}/healthz`)).status).toBe(200);
    const readiness = await fetch(`${url}/readyz`);
    expect(readiness.status).toBe(503);
    expect(await readiness.json()).toMatchObject({ checks: { temporal: 'not connected yet' } });
    const stoppedAt = Date.now();
    stop();
    expect(await exited).toEqual({ code: 0, stderr: '' });
    // The grace is ten seconds; an attempt to connect may be under way for five.
    expect(Date.now() - stoppedAt).toBeLessThan(8000);
  });

  test('says in one line which port is taken, and which setting moves it', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { exited } = start(entry, { TEMPORAL_ADDRESS: inject('temporalAddress'), OPERATIONS_PORT: String(port) });
    const { code, stderr } = await exited;
    expect(stderr).toMatch(/^\S+: ListenError: Health checks .* set OPERATIONS_PORT to a free port\.\n$/);
    expect(code).toBe(1);
  });
});

test('an orders API whose own port is taken says so in one line', { timeout: 60_000 }, async () => {
  const { exited } = start('api/orders-api.main.ts', {
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    API_PORT: new URL(inject('databaseUrl')).port,
    OPERATIONS_PORT: '0',
  });
  const { code, stderr } = await exited;
  expect(stderr).toMatch(/^orders-api: ListenError: can't listen on .*; set API_PORT to a free port\. .*EADDRINUSE/);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(code).toBe(1);
});

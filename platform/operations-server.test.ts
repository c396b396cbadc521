import { pino } from 'pino';
import { expect, test } from 'vitest';
import { startOperationsServer } from './operations-server.ts';

const logger = pino({ level: 'silent' });
const base = { host: '127.0.0.1', port: 0, logger };

test('says that the process is alive, that it is ready, and its metrics', async () => {
  const metrics = { contentType: 'text/plain; version=0.0.4', text: async () => 'orders_total 1\n' };
  const server = await startOperationsServer({ ...base, checks: { database: async () => 1 }, metrics });
  try {
    expect(await (await fetch(`${server.url}/healthz`)).json()).toEqual({ status: 'ok' });
    const ready = await fetch(`${server.url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({ status: 'ready', checks: { database: 'ok' } });
    const scraped = await fetch(`${server.url}/metrics`);
    expect(scraped.headers.get('content-type')).toContain('version=0.0.4');
    expect(await scraped.text()).toBe('orders_total 1\n');
  } finally {
    await server.close();
  }
});

test('names the check that fails and why, without the password in its address', async () => {
  const checks = {
    temporal: async () => 'fine',
    database: () => Promise.reject(new AggregateError([new Error('refused: postgres://orders:hunter2@db/orders')])),
  };
  const server = await startOperationsServer({ ...base, checks });
  try {
    const answer = await fetch(`${server.url}/readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({
      status: 'not ready',
      checks: { temporal: 'ok', database: 'refused: postgres://orders:[redacted]@db/orders' },
    });
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  } finally {
    await server.close();
  }
});

test('a port that is taken is named with its setting', async () => {
  const first = await startOperationsServer({ ...base, checks: {} });
  try {
    const port = Number(new URL(first.url).port);
    await expect(startOperationsServer({ ...base, port, checks: {} })).rejects.toThrow(
      `Health checks and metrics can't listen on 127.0.0.1:${port}; set OPERATIONS_PORT to a free port.`,
    );
  } finally {
    await first.close();
  }
});

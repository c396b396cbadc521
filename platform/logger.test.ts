import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { pino } from 'pino';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { createLogger } from './logger.ts';
import { startTelemetry } from './telemetry.ts';

const noTelemetry = { telemetry: { zipkinUrl: undefined, otlpTracesUrl: undefined } };
const lines: Record<string, unknown>[] = [];
const logger = createLogger({ production: true, logLevel: 'info' }, 'orders-api', {
  write: (line) => void lines.push(JSON.parse(line)),
});

afterEach(() => {
  lines.length = 0;
});

test('writes one JSON line an event, with its level in words', () => {
  logger.warn({ orderId: '68ce52f4cdbf4a483de63446' }, 'something to look at');
  logger.debug('below the level');
  expect(lines).toEqual([
    {
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      service: 'orders-api',
      orderId: '68ce52f4cdbf4a483de63446',
      msg: 'something to look at',
    },
  ]);
});

test('a line that is written under a trace has its id, others have none', async () => {
  const telemetry = startTelemetry({ serviceName: 'test', config: noTelemetry, logger: pino({ level: 'silent' }) });
  try {
    await trace.getTracer('test').startActiveSpan('step', async (span) => {
      await Promise.resolve();
      logger.info('inside');
      expect(lines[0]).toMatchObject({ traceId: span.spanContext().traceId });
      span.end();
    });
    context.with(ROOT_CONTEXT, () => logger.info('outside'));
    expect(lines[1]).not.toHaveProperty('traceId');
  } finally {
    await telemetry.shutdown();
  }
  expect(propagation.fields()).toEqual([]);
});

test('a token that stands in a text is not written', () => {
  const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl-canary_x';
  logger.info({ url: `/payment?order-id=1&token=${jwt}&notice=returned` }, `the token is ${jwt}`);
  expect(JSON.stringify(lines)).not.toMatch(/eyJ|canary/);
  expect(lines).toMatchObject([{ url: '/payment?order-id=1&token=[redacted]&notice=returned' }]);
});

test('no secret is written, wherever it stands', () => {
  const secrets = ['sk_test_canary1', 'rk_live_canary2', 'whsec_canary3', 'Bearer canary4.x-y', 'canary5', 'canary6'];
  logger.info(
    {
      apiKey: secrets[0],
      request: { headers: { authorization: secrets[3], 'stripe-signature': 't=1,v1=canary6' }, card: 'canary5' },
      nested: { deeper: { text: `key ${secrets[0]} and ${secrets[1]}` } },
    },
    `signed with ${secrets[2]}, sent ${secrets[3]} to postgres://orders:canary5@db/orders`,
  );
  logger.error(
    { err: new Error(`Invalid API key: ${secrets[0]}`, { cause: new Error(String(secrets[2])) }) },
    'failed',
  );
  const written = JSON.stringify(lines);
  expect(written).not.toContain('canary');
  expect(written).toContain('postgres://orders:[redacted]@db/orders');
});

test('an error keeps what explains it, and drops the request and the row that it drags along', () => {
  const cause = new Error('connection reset');
  const error = Object.assign(new TypeError('failed', { cause }), {
    code: '23505',
    statusCode: 402,
    detail: 'Key (customer_id)=(somebody)',
    raw: { headers: {}, payment_method: { card: { last4: '4242' } } },
  });
  logger.error({ err: error }, 'failed');
  expect(lines[0]?.['err']).toEqual({
    name: 'TypeError',
    message: 'failed: connection reset',
    stack: expect.stringContaining('connection reset'),
    code: '23505',
    statusCode: 402,
  });
});

test.skipIf(!existsSync('/dev/full'))(
  'an output that can’t be written, as on a full disk, ends no process',
  async () => {
    const script = `
    import { createLogger } from ${JSON.stringify(join(import.meta.dirname, 'logger.ts'))};
    const logger = createLogger({ production: true, logLevel: 'info' }, 'test');
    logger.info('a line');
    setTimeout(() => logger.fatal('the last line'), 50);
    process.once('exit', () => process.stderr.write('it came to its end'));`;
    const full = openSync('/dev/full', 'w');
    onTestFinished(() => closeSync(full));
    const tsx = ['--import', 'tsx', '--input-type=module', '--eval', script];
    const child = spawn(process.execPath, tsx, { stdio: ['ignore', full, 'pipe'] });
    const [[code], stderr] = await Promise.all([once(child, 'exit'), text(child.stderr!)]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'it came to its end' });
  },
);

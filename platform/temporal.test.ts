import { expect, test } from 'vitest';
import { loadConfig } from './config.ts';
import { createLogger } from './logger.ts';
import { ensureSearchAttributes } from './search-attributes.ts';
import { type TemporalConnection, TemporalRefusedError, untilConnected } from './temporal.ts';
import { toTemporalLogger } from './temporal-worker.ts';

const config = loadConfig({ TEMPORAL_ADDRESS: 'temporal.example:7233' });

function recorded() {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line));
  return { lines, logger: createLogger({ production: true, logLevel: 'info' }, 'test', { write }) };
}

/** An error as gRPC gives it. */
function grpcError(code: number): Error {
  return Object.assign(new Error(`${code} refused`), { code, details: 'refused', metadata: {} });
}

test('a first connection is waited for, with one line when it is missing and one when it is there', async () => {
  const { lines, logger } = recorded();
  let attempts = 0;
  const connected = await untilConnected(config, { logger }, async () => {
    attempts += 1;
    if (attempts < 3) throw new Error('connection refused');
    return 'connected';
  });
  expect(connected).toBe('connected');
  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    ['warn', 'Temporal at temporal.example:7233 does not answer; trying again until it does'],
    ['info', 'Temporal at temporal.example:7233 is there'],
  ]);
});

test('wrong credentials end the waiting, and the line says which settings to check', async () => {
  const { logger } = recorded();
  for (const error of [
    grpcError(16),
    new Error('outer', { cause: grpcError(7) }),
    new Error('status: Unauthenticated'),
  ]) {
    const connecting = untilConnected(config, { logger }, () => Promise.reject(error));
    await expect(connecting).rejects.toThrow(TemporalRefusedError);
    await expect(connecting).rejects.toThrow('TEMPORAL_API_KEY');
  }
});

test('a process that is stopped waits no longer', async () => {
  const { logger } = recorded();
  const stopping = new AbortController();
  const connecting = untilConnected(config, { logger, signal: stopping.signal }, () => {
    stopping.abort(new Error('stopped'));
    return Promise.reject(new Error('connection refused'));
  });
  await expect(connecting).rejects.toThrow('stopped');
});

test('lines of workflows carry order and trace, and what is expected is no warning', () => {
  const { lines, logger } = recorded();
  const temporal = toTemporalLogger(logger);
  const trace = { trace_id: '654f54b90d7ed003c4d05fad87e5a925', span_id: '1', trace_flags: '01' };
  temporal.warn('late', { workflowId: '68ce52f4cdbf4a483de63446', ...trace });
  temporal.error('failed', { workflowId: 'refund-68ce52f4cdbf4a483de63446', error: new Error('no') });
  temporal.info('other', { workflowId: 'stripe-evt_1' });
  temporal.warn('No workflows registered, not polling for workflow tasks');
  expect(lines).toMatchObject([
    { level: 'warn', msg: 'late', orderId: '68ce52f4cdbf4a483de63446', traceId: trace.trace_id },
    { level: 'error', orderId: '68ce52f4cdbf4a483de63446', err: { name: 'Error', message: 'no' } },
    { level: 'info', msg: 'other' },
  ]);
  expect(lines).toHaveLength(3);
  expect(lines[2]).not.toHaveProperty('orderId');
});

/** A namespace with these search attributes; `add` answers the attempt to register more. */
function namespaceWith(customAttributes: Record<string, number>, add: () => Promise<unknown>): TemporalConnection {
  const operatorService = { listSearchAttributes: async () => ({ customAttributes }), addSearchAttributes: add };
  return { operatorService } as unknown as TemporalConnection;
}

test('missing search attributes are registered, and those of others left alone', async () => {
  const added: unknown[] = [];
  const add = (request: unknown) => Promise.resolve(added.push(request));
  const namespace = namespaceWith({ OrderStatus: 2, Other: 1 }, add as never);
  await ensureSearchAttributes(namespace, 'shop');
  expect(added).toEqual([{ namespace: 'shop', searchAttributes: { CustomerId: 2 } }]);
  await ensureSearchAttributes(
    namespaceWith({}, () => Promise.reject(grpcError(6))),
    'shop',
  );
});

test('search attributes that cannot be registered are named with the command that does it', async () => {
  const refusing = namespaceWith({ OrderStatus: 2 }, () => Promise.reject(grpcError(7)));
  await expect(ensureSearchAttributes(refusing, 'shop')).rejects.toThrow(
    'temporal operator search-attribute create --namespace shop --name CustomerId --type Keyword',
  );
  const mistyped = namespaceWith({ OrderStatus: 1, CustomerId: 2 }, async () => undefined);
  await expect(ensureSearchAttributes(mistyped, 'shop')).rejects.toThrow('has OrderStatus as another type');
});

test('a namespace of Temporal Cloud, which has no operator service, tells its search attributes otherwise', async () => {
  const cloud = (customSearchAttributeAliases: Record<string, string>) =>
    ({
      operatorService: {
        listSearchAttributes: () => Promise.reject(grpcError(7)),
        addSearchAttributes: () => Promise.reject(grpcError(7)),
      },
      workflowService: { describeNamespace: async () => ({ config: { customSearchAttributeAliases } }) },
    }) as unknown as TemporalConnection;
  await ensureSearchAttributes(cloud({ Keyword01: 'OrderStatus', Keyword02: 'CustomerId' }), 'shop.a1b2c');
  await expect(ensureSearchAttributes(cloud({ Keyword01: 'OrderStatus' }), 'shop.a1b2c')).rejects.toThrow(
    'lacks the search attributes CustomerId',
  );
});

import { NativeConnection } from '@temporalio/worker';
import { Stripe } from 'stripe';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createBuiltInWarehouse } from '../activities/built-in-warehouse.ts';
import { createDatabase } from '../database/database.ts';
import { createWorker } from './worker.ts';

test('a step of a workflow may be frozen for a minute: Node often crashes when a script is ended', async () => {
  const connection = await NativeConnection.connect({ address: inject('temporalAddress') });
  onTestFinished(() => connection.close());
  const database = createDatabase({ url: inject('databaseUrl'), poolSize: 1, name: 'test' });
  const worker = await createWorker('orders', {
    connection,
    namespace: 'default',
    taskQueuePrefix: 'worker-test-',
    database,
    stripe: new Stripe('sk_test_unused'),
    fulfillment: createBuiltInWarehouse({ database }),
    stripeIsReal: false,
    stripeRetryMaxMs: 60_000,
    workflowBundle: { codePath: inject('workflowBundlePath') },
    plugins: [],
    shutdownGraceMs: 0,
  });
  await worker.runUntil(async () => {
    expect(worker.options).toMatchObject({ isolateExecutionTimeoutMs: 60_000 });
  });
});

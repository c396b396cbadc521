import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { describe, expect, onTestFinished, test } from 'vitest';
import { processEnvironment } from '../../platform/config.ts';
import { createSandboxAdmin } from './admin-client.ts';
import { Store } from './store.ts';
import { orderParams, startSandbox, stripeFor } from './testing/test-support.ts';

function stateFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'stripe-sandbox-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'deep', 'state.jsonl');
}

const delivery = (eventId: string) => ({
  eventId,
  type: 'charge.succeeded',
  status: 'pending' as const,
  attempts: 0,
  lastResult: null,
  nextAttemptAtMs: 0,
  copies: 1,
});

describe('the journal', () => {
  test('what was committed is there again, the last word of each; what was not is not', () => {
    const file = stateFile();
    const store = new Store(file);
    store.put('deliveries', 'a', delivery('a'));
    store.put('deliveries', 'b', delivery('b'));
    store.commit();
    store.put('deliveries', 'a', { ...delivery('a'), attempts: 3 });
    store.commit();
    store.put('deliveries', 'c', delivery('c'));
    const again = new Store(file);
    expect(again.all('deliveries').map(({ eventId, attempts }) => [eventId, attempts])).toEqual([
      ['a', 3],
      ['b', 0],
    ]);
  });

  test('a line that the process did not live to end counts as never written, and the next commit follows cleanly', () => {
    const file = stateFile();
    const store = new Store(file);
    store.put('deliveries', 'a', delivery('a'));
    store.commit();
    appendFileSync(file, '[["deliveries","b",{"event');
    const second = new Store(file);
    expect(second.all('deliveries')).toHaveLength(1);
    second.put('deliveries', 'c', delivery('c'));
    second.commit();
    expect(new Store(file).all('deliveries').map(({ eventId }) => eventId)).toEqual(['a', 'c']);
  });

  test('opening it leaves out the past', () => {
    const file = stateFile();
    const store = new Store(file);
    for (let attempts = 0; attempts < 10; attempts += 1) {
      store.put('deliveries', 'a', { ...delivery('a'), attempts });
      store.commit();
    }
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as unknown[]).length)).toEqual(Array.from({ length: 10 }, () => 1));
    expect(new Store(file).get('deliveries', 'a')?.attempts).toBe(9);
    expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(1);
  });

  test('damage in the middle is said, with the way out', () => {
    const file = stateFile();
    new Store(file).close();
    writeFileSync(file, '[]\nnot json\n[]\n');
    expect(() => new Store(file)).toThrow(/damaged at line 2; delete it/);
  });
});

describe('the sandbox over restarts', () => {
  test('keys, charges, refunds and open sessions go on', async () => {
    const file = stateFile();
    const first = await startSandbox({ stateFile: file });
    const paid = await first.stripe.checkout.sessions.create(orderParams('a'), { idempotencyKey: 'a' });
    const { paymentIntentId } = await first.admin.pay(paid.id);
    await first.stripe.refunds.create({ payment_intent: paymentIntentId ?? '', amount: 500 });
    const open = await first.stripe.checkout.sessions.create(orderParams('b'));
    const ledger = await first.admin.ledger();
    await first.sandbox.close();

    const second = await startSandbox({ stateFile: file });
    expect(await second.admin.ledger()).toEqual(ledger);
    const again = await second.stripe.checkout.sessions.create(orderParams('a'), { idempotencyKey: 'a' });
    expect([again.id, again.lastResponse.headers['idempotent-replayed']]).toEqual([paid.id, 'true']);
    expect(await second.admin.pay(paid.id)).toMatchObject({ outcome: 'closed' });
    expect(await second.admin.pay(open.id)).toMatchObject({ outcome: 'succeeded' });
  });

  test('kill -9 right after an answer loses no charge and no session', async () => {
    const file = stateFile();
    const first = await startProcess(file);
    const { id } = await stripeFor(first.url, SANDBOX_KEY).checkout.sessions.create(orderParams());
    await createSandboxAdmin(first.url).pay(id);
    const last = await stripeFor(first.url, SANDBOX_KEY).checkout.sessions.create(orderParams('last'));
    await first.kill();
    const second = await startProcess(file);
    const admin = createSandboxAdmin(second.url);
    expect(await admin.sessions('last')).toMatchObject([{ id: last.id, status: 'open' }]);
    expect((await admin.ledger('order_1')).charges).toMatchObject([{ amountMinor: 4500, status: 'succeeded' }]);
    expect((await admin.deliveries()).every(({ status }) => status === 'pending')).toBe(true);
  });
});

const SANDBOX_KEY = 'sk_test_sandbox_order_backend';

async function startProcess(file: string): Promise<{ url: string; kill: () => Promise<void> }> {
  const env = {
    ...processEnvironment(),
    NODE_ENV: 'test',
    LOG_LEVEL: 'info',
    STRIPE_KEY: '',
    STRIPE_ENDPOINT_SECRET: '',
    STRIPE_SANDBOX_PORT: '0',
    STRIPE_SANDBOX_STATE_FILE: file,
    // Nothing listens there: the events stay pending.
    STRIPE_SANDBOX_WEBHOOK_URL: 'http://127.0.0.1:9/webhook',
  };
  const child = spawn(execPath, ['--import', 'tsx', 'dev/stripe-sandbox/main.ts'], {
    cwd: join(import.meta.dirname, '..', '..'),
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  onTestFinished(kill);
  for await (const output of createInterface(child.stdout)) {
    const url = /listening at (http:\/\/[\d.:]+)/.exec(output)?.[1];
    if (url !== undefined) return { url, kill };
  }
  throw new Error('The sandbox ended before it listened.');
}

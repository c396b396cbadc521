import { readFileSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import { RECONCILE_BOOKS, REFUND_ORDER, taskQueues } from '../contracts/messages.ts';
import { createLogger } from '../platform/logger.ts';
import { connectTemporalNative } from '../platform/temporal-worker.ts';
import { workerKinds } from '../workers/worker.ts';
import { watchBooks, watchOpenOrders, watchTaskQueues } from '../workers/watch.ts';
import { PENCIL, startWorld, type World } from './support/world.ts';

const ALERTS = new URL('../deploy/prometheus/alerts.yml', import.meta.url);
const DASHBOARD = new URL('../deploy/grafana/dashboards/orders.json', import.meta.url);

const SCRAPES = new URL('../deploy/prometheus/prometheus.yml', import.meta.url);
const COMPOSE = new URL('../docker-compose.yml', import.meta.url);

/** Prometheus makes it itself, for each process that it asks. */
const PROMETHEUS_OWN = 'up';

type Series = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number };
type Selector = { readonly name: string; readonly equals: Readonly<Record<string, string>>; readonly labels: string[] };

let world: World;
let page: string;

beforeAll(async () => {
  world = await startWorld();
  const native = await connectTemporalNative(world.config, { logger: createLogger(world.config, 'test') });
  const { namespace, taskQueuePrefix } = world.config.temporal;
  watchOpenOrders(world.metrics, world.database);
  watchBooks(world.metrics, world.database);
  watchTaskQueues(world.metrics, { connection: native, namespace, taskQueuePrefix, kinds: workerKinds });
  try {
    await liveThroughAllThatIsCounted();
    await failWorkflowTask(native, `${taskQueuePrefix}broken`);
    page = await world.metricsText();
  } finally {
    await native.close();
  }
}, 120_000);
afterAll(() => world?.stop());

/** One order with a decline, a fault of Stripe, a dispute and a refund that fails; a refusal; an unsigned webhook. */
async function liveThroughAllThatIsCounted(): Promise<void> {
  const { stripe, client } = world;
  await stripe.addFault({ method: 'POST', path: '/v1/checkout/sessions', action: { type: 'error', status: 500 } });
  const order = await world.orderWaitingForPayment();
  await world.pay(order, { card: '4000000000009995' });
  await world.untilEvent(order.orderId, 'payment.failed');
  await world.pay(order);
  await world.untilStatus(order.orderId, 'FINISHED');
  await world.workflowResult(order.orderId);
  const charge = (await stripe.ledger(order.orderId)).charges.find(({ status }) => status === 'succeeded');
  await stripe.openDispute(charge?.id ?? 'none');
  await world.untilEvent(order.orderId, 'payment.disputed');

  const refunded = await world.orderWaitingForPayment();
  await world.pay(refunded);
  await world.untilStatus(refunded.orderId, 'FINISHED');
  await client.workflow.execute(REFUND_ORDER, {
    workflowId: `refund-${refunded.orderId}`,
    taskQueue: taskQueues(world.config.temporal.taskQueuePrefix).orders,
    args: [{ orderId: refunded.orderId, request: { restock: true, reason: 'A test.' }, stripeRetryMaxMs: 1000 }],
  });
  const [refund] = (await stripe.ledger(refunded.orderId)).refunds;
  await stripe.failRefund(refund?.id ?? 'none');
  await world.untilEvent(refunded.orderId, 'refund.failed');

  await world.orderWaitingForPayment();
  await world.create('customer-of-metrics', [{ itemID: PENCIL, quantity: 9999 }]);
  const unsigned = await fetch(world.webhookUrl, { method: 'POST', body: '{}' });
  expect(unsigned.status).toBe(400);
  await client.workflow.execute(RECONCILE_BOOKS, {
    workflowId: `books-${refunded.orderId}`,
    taskQueue: taskQueues(world.config.temporal.taskQueuePrefix).orders,
  });
}

/** A workflow of a kind that nobody knows fails its first task, as one would whose code does not fit its history. */
async function failWorkflowTask(connection: Awaited<ReturnType<typeof connectTemporalNative>>, taskQueue: string) {
  const { namespace } = world.config.temporal;
  const workflowBundle = { codePath: inject('workflowBundlePath') };
  const worker = await Worker.create({ connection, namespace, taskQueue, workflowBundle });
  await worker.runUntil(async () => {
    const handle = await world.client.workflow.start('noSuchWorkflow', { taskQueue, workflowId: taskQueue });
    await world.until(async () => {
      expect(await world.metricsText()).toContain('temporal_workflow_task_execution_failed_total{');
    });
    await handle.terminate();
  });
}

test('each business event is counted once', () => {
  const sum = (name: string, labels: Record<string, string>) =>
    seriesOf(page)
      .filter((series) => series.name === name && matches(series, labels))
      .reduce((total, { value }) => total + value, 0);
  const events = Object.fromEntries(
    ['order.created', 'payment.failed', 'order.paid', 'order.finished', 'payment.disputed', 'order.refunded'].map(
      (event) => [event, sum('order_events_total', { event })],
    ),
  );
  expect(events).toEqual({
    'order.created': 3,
    'payment.failed': 1,
    'order.paid': 2,
    'order.finished': 2,
    'payment.disputed': 1,
    'order.refunded': 1,
  });
  expect(sum('order_creates_total', { result: 'created' })).toBe(3);
  expect(sum('order_creates_total', { result: 'outOfStock' })).toBe(1);
  expect(sum('order_refusals_total', { reason: 'outOfStock' })).toBe(1);
  expect(sum('payment_declines_total', { code: 'insufficient_funds' })).toBe(1);
  expect(sum('order_paid_to_finished_seconds_count', {})).toBe(2);
  expect(sum('stripe_events_total', { outcome: 'delivered' })).toBe(3);
  expect(sum('orders_open', { status: 'WAITING_FOR_PAYMENT' })).toBe(1);
  expect(sum('orders_open', { status: 'PAID' })).toBe(0);
  expect(seriesOf(page).filter(({ name }) => name === 'task_queue_backlog')).toHaveLength(2 * workerKinds.length);
});

test('alerts ask only for what is there', () => {
  const { groups } = parse(readFileSync(ALERTS, 'utf8')) as {
    groups: { rules: { alert: string; expr: string; annotations: { summary: string; action: string } }[] }[];
  };
  const rules = groups.flatMap(({ rules }) => rules);
  expect(rules.length).toBeGreaterThan(10);
  for (const { alert, expr, annotations } of rules) {
    expect(annotations.summary && annotations.action, `${alert} says what to do`).toBeTruthy();
    expectAnswerable(alert, expr);
  }
});

test('the dashboard asks only for what is there', () => {
  const { panels } = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as {
    panels: { title: string; targets?: { expr: string }[] }[];
  };
  const asked = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
  expect(asked.length).toBeGreaterThan(10);
  for (const { title, expr } of asked) expectAnswerable(title, expr);
});

test('Prometheus asks each process of the containers where it answers', () => {
  const { scrape_configs: jobs } = parse(readFileSync(SCRAPES, 'utf8')) as {
    scrape_configs: { static_configs: { targets: string[] }[] }[];
  };
  const { services } = parse(readFileSync(COMPOSE, 'utf8'), { merge: true }) as {
    services: Record<string, { command?: string[]; healthcheck?: { test: string[] } }>;
  };
  const processes = Object.entries(services).flatMap(([name, { command, healthcheck }]) => {
    const port = /:(\d+)\/readyz/.exec(healthcheck?.test.join(' ') ?? '')?.[1];
    return command?.[0]?.startsWith('dist/') === true && port !== undefined ? [`${name}:${port}`] : [];
  });
  expect(processes.length).toBeGreaterThan(4);
  expect(jobs.flatMap((job) => job.static_configs.flatMap(({ targets }) => targets))).toEqual(processes);
});

/** The expression is PromQL, and each of its selectors finds a series, with the labels that are grouped by. */
function expectAnswerable(where: string, expression: string): void {
  for (const selector of selectorsOf(expression)) {
    if (selector.name === PROMETHEUS_OWN) continue;
    const found = seriesOf(page).filter(({ name }) => name === selector.name);
    expect(found.length, `${where}: there is a metric ${selector.name}`).toBeGreaterThan(0);
    const fitting = found.filter((series) => matches(series, selector.equals));
    expect(fitting.length, `${where}: there is ${selector.name} ${JSON.stringify(selector.equals)}`).toBeGreaterThan(0);
    for (const label of selector.labels) {
      expect(fitting[0]?.labels, `${where}: ${selector.name} has the label ${label}`).toHaveProperty(label);
    }
  }
}

function matches({ labels }: Series, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

/** The metrics that a PromQL expression reads. */
function selectorsOf(expression: string): Selector[] {
  const selectors: Selector[] = [];
  const textOf = (node: { readonly from: number; readonly to: number }) => expression.slice(node.from, node.to);
  parser.parse(expression).iterate({
    enter(node) {
      expect(node.type.isError, `PromQL at ${node.from}: ${expression}`).toBe(false);
      if (node.name !== 'VectorSelector') return;
      const name = node.node.getChild('Identifier');
      const matchers = node.node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [];
      const equals: Record<string, string> = {};
      const labels: string[] = [];
      for (const matcher of matchers) {
        const [label, operator, value] = [matcher.firstChild, matcher.firstChild?.nextSibling, matcher.lastChild];
        if (!label || !operator || !value) throw new Error(`A matcher of ${expression} is not understood`);
        labels.push(textOf(label));
        if (textOf(operator) === '=') equals[textOf(label)] = textOf(value).slice(1, -1);
      }
      selectors.push({ name: name === null ? '' : textOf(name), equals, labels });
    },
  });
  expect(selectors, `${expression} reads a metric`).not.toHaveLength(0);
  // `instance` and `job` are Prometheus' own labels too.
  return selectors.map((selector) => {
    const { job: _job, instance: _instance, ...equals } = selector.equals;
    return { ...selector, equals };
  });
}

/** Reads Prometheus' text form. */
function seriesOf(text: string): Series[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const parts = /^(?<name>[a-zA-Z_:][\w:]*)(?:\{(?<labels>.*)\})? (?<value>\S+)$/.exec(line)?.groups;
      if (parts?.['name'] === undefined) throw new Error(`No line of Prometheus' text form: ${line}`);
      const labels = [...(parts['labels'] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
        ([, name, value]) => [name, value] as const,
      );
      return { name: parts['name'], labels: Object.fromEntries(labels), value: Number(parts['value']) };
    });
}

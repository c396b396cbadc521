import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BOOK, PENCIL, startWorld, type World } from './support/world.ts';

/*
 * I7: what is secret is put in wherever it can get in, and then looked for in all that is written, kept, sent and
 * answered. The orders' own ids are looked for too, so that an empty place cannot pass.
 */

const OPERATOR_TOKEN = 'canary-operator-token-0123456789';
const CUSTOMER_TOKEN = 'canary-customer-token-0123456789';
const COOKIE = 'canary-cookie-0123456789';
const GOOD_CARD = '4242424242424242';
const DECLINED_CARD = '4000000000009995';

let world: World;
const logLines: string[] = [];
const sentSpans: string[] = [];
const answers: string[] = [];
const zipkin = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    sentSpans.push(Buffer.concat(chunks).toString('utf8'));
    response.writeHead(202).end();
  });
});

beforeAll(async () => {
  await new Promise<void>((resolve) => {
    zipkin.listen(0, '127.0.0.1', resolve);
  });
  const { port } = zipkin.address() as AddressInfo;
  world = await startWorld(
    { LOG_LEVEL: 'trace', ZIPKIN_URL: `http://127.0.0.1:${port}`, OPERATOR_TOKEN },
    { write: (line) => void logLines.push(line) },
  );
});
afterAll(async () => {
  await world?.stop();
  zipkin.closeAllConnections();
  zipkin.close();
});

/** Asks, and keeps the whole answer with its headers. */
async function ask(url: string, init: RequestInit = {}): Promise<Record<string, unknown>> {
  const answer = await fetch(url, { redirect: 'manual', ...init });
  const body = await answer.text();
  answers.push(`${JSON.stringify([...answer.headers])}\n${body}`);
  return answer.headers.get('content-type')?.includes('json') ? (JSON.parse(body) as Record<string, unknown>) : {};
}

async function histories(): Promise<string> {
  const query = `TaskQueue = '${world.config.temporal.taskQueuePrefix}orders'`;
  const texts: string[] = [];
  for await (const { workflowId, runId } of world.client.workflow.list({ query })) {
    const history = await world.client.workflow.getHandle(workflowId, runId).fetchHistory();
    // Payloads are bytes that hold JSON.
    const asText = (_key: string, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value;
    texts.push(JSON.stringify(history, asText));
  }
  return texts.join('\n');
}

async function tables(): Promise<string> {
  const rows = await world.database.query<{ text: string }>(
    `SELECT query_to_xml(format('SELECT * FROM %I', tablename), true, true, '')::text AS text
     FROM pg_tables WHERE schemaname = 'public'`,
  );
  return rows.rows.map(({ text }) => text).join('\n');
}

test('no secret is found in logs, spans, histories, tables, metrics or answers', async () => {
  const { publicUrl, stripe, database } = world.config;
  const headers = {
    'content-type': 'application/json',
    authorization: `Bearer ${CUSTOMER_TOKEN}`,
    cookie: `session=${COOKIE}`,
  };
  const operator = { ...headers, authorization: `Bearer ${OPERATOR_TOKEN}` };
  const order = { customerID: 'canary-customer', items: [{ itemID: BOOK, quantity: 1 }] };
  const create = (body: unknown) =>
    ask(`${publicUrl}/api/customer/canary-customer/create`, { method: 'POST', headers, body: JSON.stringify(body) });

  // Stripe fails once as it does, and refuses the key once; both are retried.
  const path = '/v1/checkout/sessions';
  await world.stripe.addFault({ method: 'POST', path, action: { type: 'error', status: 500 } });
  const created = (await create(order)) as { data: { order_id: string } };
  const orderId = created.data.order_id;
  const waiting = await world.untilStatus(orderId, 'WAITING_FOR_PAYMENT');
  await world.pay(waiting, { card: DECLINED_CARD });
  await world.untilEvent(orderId, 'payment.failed');
  await world.pay(waiting, { card: GOOD_CARD });
  await world.untilStatus(orderId, 'FINISHED');
  await world.workflowResult(orderId);

  // Refusals and faults of all kinds.
  await create({ ...order, card: GOOD_CARD });
  await create({ ...order, items: [{ itemID: PENCIL, quantity: 9999 }] });
  await ask(`${publicUrl}/api/nowhere`, { headers });
  await ask(`${publicUrl}/api/customer/canary-customer/orders/${orderId}`, { headers });
  await ask(`${publicUrl}/payment?customer-id=canary-customer&order-id=${orderId}`, { headers });
  await ask(`${publicUrl}/api/operator/orders?order_id=${orderId}`, { headers: operator });
  await ask(`${publicUrl}/api/operator/orders?order_id=${orderId}`, { headers });
  await ask(`${publicUrl}/docs/json`);
  const signature = { 'stripe-signature': `t=1,v1=${'0'.repeat(64)}`, ...headers };
  await ask(world.webhookUrl, { method: 'POST', headers: signature, body: `{"number":"${GOOD_CARD}"}` });
  await ask(world.webhookUrl, { method: 'POST', headers, body: '{}' });
  answers.push(await world.metricsText());
  await world.until(() => expect(sentSpans.join('')).toContain('RunWorkflow:orderLifecycle'));

  const places = {
    'the log': logLines.join(''),
    'the spans': sentSpans.join('\n'),
    'the histories': await histories(),
    'the tables': await tables(),
    'the answers': answers.join('\n'),
  };
  const canaries = {
    "Stripe's key": stripe.apiKey,
    "the webhook's secret": stripe.endpointSecrets[0],
    "the operator's token": OPERATOR_TOKEN,
    "the customer's token": CUSTOMER_TOKEN,
    'the cookie': COOKIE,
    'a card number': GOOD_CARD,
    'a declined card number': DECLINED_CARD,
    "the database's password": new URL(database.url).password,
    'a signature': '0'.repeat(64),
  };
  for (const [place, text] of Object.entries(places)) {
    expect(text, `${place} tell of the order`).toContain(orderId);
    for (const [canary, secret] of Object.entries(canaries)) {
      expect(secret).toMatch(/.{8}/);
      expect(text.includes(String(secret)), `${canary} is in ${place}`).toBe(false);
    }
  }
});

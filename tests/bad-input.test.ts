import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { Stripe } from 'stripe';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { OrderRecord } from '../database/orders.ts';
import type { Answer, Envelope } from '../dev/invariants/shop-client.ts';
import { newCustomer, ONE_PENCIL, PENCIL, startWorld, type World } from './support/world.ts';

const CUSTOMER = 'customer-1';
const CREATE = `/api/customer/${CUSTOMER}/create`;
const LINE = { itemID: PENCIL, quantity: 1 };
const GOOD = { customerID: CUSTOMER, items: [LINE] };
const UNKNOWN_ORDER = 'f'.repeat(24);
const KILOBYTE = 1024;

const lineOf = (quantity: unknown) => ({ ...GOOD, items: [{ ...LINE, quantity }] });

let world: World;
/** An order that nothing of what is sent here may touch. */
let bystander: OrderRecord;
let before: Awaited<ReturnType<typeof effects>>;

beforeAll(async () => {
  world = await startWorld();
  bystander = await world.orderWaitingForPayment();
  // Its row is written within a workflow task, whose end adds to the history.
  await world.until(async () => {
    const { raw } = await world.client.workflow.getHandle(bystander.orderId).describe();
    expect(raw.pendingWorkflowTask ?? undefined).toBeUndefined();
  });
});
afterAll(() => world.stop());

beforeEach(async () => {
  before = await effects();
});

/**
 * Everything that a request can leave behind: every table's rows, the stock among them, and what the order was told.
 */
async function effects() {
  const tables = await world.database.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`,
  );
  const contents = await Promise.all(
    tables.rows.map(async ({ name }) => {
      const { rows } = await world.database.query<{ count: number; digest: string }>(
        `SELECT count(*)::integer, md5(string_agg(row::text, ',' ORDER BY row::text)) AS digest FROM ${name} AS row`,
      );
      return [name, rows[0]];
    }),
  );
  const { events } = await world.client.workflow.getHandle(bystander.orderId).fetchHistory();
  return { tables: Object.fromEntries(contents), events: events?.length };
}

/** Waits until Temporal lists a workflow that is started now; what was started before is listed then too. */
async function startedWorkflows(): Promise<readonly string[]> {
  const { orderId } = await world.newOrder();
  const query = `TaskQueue = '${world.config.temporal.taskQueuePrefix}orders'`;
  return world.until(async () => {
    const found: string[] = [];
    for await (const { workflowId } of world.client.workflow.list({ query })) found.push(workflowId);
    expect(found).toContain(orderId);
    return found.filter((workflowId) => workflowId !== orderId && workflowId !== bystander.orderId);
  });
}

type Expected = { readonly status: number; readonly errorCode: number; readonly says: readonly string[] };

function expectRefused(answer: Answer, { status, errorCode, says }: Expected): void {
  // Zeros if it is refused before a trace begins: what is no HTTP, and what Stripe did not sign.
  const traceID = expect.stringMatching(/^[0-9a-f]{32}$/);
  expect(answer).toMatchObject({ status, body: { errorCode, traceID } });
  for (const words of says) expect(answer.body.message).toContain(words);
}

/** Sends what `fetch` would correct, or would not read the answer of. */
async function sendRaw(text: string): Promise<{ readonly answer: Answer; readonly head: string }> {
  const socket = connect(world.config.api.port, '127.0.0.1');
  let received = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    received += chunk;
  });
  socket.end(text);
  await once(socket, 'close');
  const [head = '', body = ''] = received.split('\r\n\r\n');
  return { head, answer: { status: Number(head.split(' ')[1]), body: JSON.parse(body) as Envelope } };
}

/** Sends a body and reads the answer, though the server may stop reading before the body's end. */
async function sendLarge(url: string, body: string): Promise<Answer> {
  const sent = httpRequest(url, { method: 'POST', headers: { 'content-type': 'application/json' } });
  const answered = once(sent, 'response');
  // The server closes what it does not want to read; the answer is there by then.
  sent.on('error', () => undefined);
  sent.end(body);
  const [response] = (await answered) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) as Envelope };
}

describe('a create that is not valid', () => {
  const WHOLE = 'must be a whole number from 1 to 10000';
  const LINES = 'must be a list of 1 to 50 lines';
  const OBJECT = 'must be a JSON object';

  test.each<{ what: string; body: unknown; field: string; says: string }>([
    { what: 'no body', body: '', field: 'body', says: 'is empty' },
    { what: 'broken JSON', body: '{"customerID":\n  "a",, }', field: 'body', says: 'line 2, column 7' },
    { what: 'JSON that ends early', body: '{"customerID":', field: 'body', says: 'is not JSON' },
    { what: 'a list', body: [GOOD], field: 'body', says: OBJECT },
    { what: 'a text', body: '"order"', field: 'body', says: OBJECT },
    { what: 'null', body: 'null', field: 'body', says: OBJECT },
    { what: 'an unknown field', body: { ...GOOD, status: 'PAID' }, field: 'body', says: 'unknown fields: status' },
    {
      what: 'an unknown field in a line',
      body: { ...GOOD, items: [{ ...LINE, price: 1 }] },
      field: 'items[0]',
      says: 'unknown fields: price',
    },
    { what: 'no items field', body: { customerID: CUSTOMER }, field: 'items', says: LINES },
    { what: 'no items', body: { ...GOOD, items: [] }, field: 'items', says: LINES },
    { what: 'items that are no list', body: { ...GOOD, items: LINE }, field: 'items', says: LINES },
    { what: '51 lines', body: { ...GOOD, items: Array.from({ length: 51 }, () => LINE) }, field: 'items', says: LINES },
    { what: 'quantity 0', body: lineOf(0), field: 'items[0].quantity', says: WHOLE },
    { what: 'quantity -1', body: lineOf(-1), field: 'items[0].quantity', says: WHOLE },
    { what: 'quantity 1.5', body: lineOf(1.5), field: 'items[0].quantity', says: WHOLE },
    { what: 'quantity 1e9', body: lineOf(1e9), field: 'items[0].quantity', says: WHOLE },
    { what: 'quantity "5"', body: lineOf('5'), field: 'items[0].quantity', says: WHOLE },
    { what: 'quantity null', body: lineOf(null), field: 'items[0].quantity', says: WHOLE },
    { what: 'no quantity', body: { ...GOOD, items: [{ itemID: PENCIL }] }, field: 'items[0].quantity', says: WHOLE },
    { what: 'no itemID', body: { ...GOOD, items: [{ quantity: 1 }] }, field: 'items[0].itemID', says: '1 to 128' },
    {
      what: 'a customerID that is not the path’s',
      body: { ...GOOD, customerID: 'customer-2' },
      field: 'customerID',
      says: 'must be the customerID of the path',
    },
    { what: 'no customerID', body: { items: [LINE] }, field: 'customerID', says: '1 to 128' },
  ])('$what: 1000, which names $field', async ({ body, field, says }) => {
    const answer = await world.post<{ fields: { path: string }[] }>(CREATE, body);
    expectRefused(answer, { status: 400, errorCode: 1000, says: [field, says] });
    expect(await effects()).toEqual(before);
    expect(answer.body.data.fields.map(({ path }) => path)).toContain(field);
    expect(answer.body.traceID).not.toMatch(/^0+$/);
  });

  test('the same with nothing wrong is an order', async () => {
    const answer = await world.post<{ order_id: string }>(CREATE, GOOD);
    expect(answer).toMatchObject({ status: 200, body: { errorCode: 0 } });
    const created = await world.untilStatus(answer.body.data.order_id, 'WAITING_FOR_PAYMENT');
    expect(await effects()).not.toEqual(before);
    await world.cancel(created);
    await world.untilStatus(created.orderId, 'CANCELLED');
  });

  test.each([
    { what: 'one byte over 64 KB', bytes: 64 * KILOBYTE + 1 },
    { what: '3 MB', bytes: 3 * KILOBYTE * KILOBYTE },
  ])('a body of $what: 1001', async ({ bytes }) => {
    const empty = JSON.stringify({ ...GOOD, filler: '' });
    const answer = await sendLarge(
      `${world.config.publicUrl}${CREATE}`,
      JSON.stringify({ ...GOOD, filler: 'x'.repeat(bytes - empty.length) }),
    );
    expectRefused(answer, { status: 413, errorCode: 1001, says: ['body', '64 KB'] });
    expect(await effects()).toEqual(before);
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml'])(
    'a body that is said to be %s: 1002',
    async (contentType) => {
      const answer = await world.post(CREATE, GOOD, { 'content-type': contentType });
      expectRefused(answer, { status: 415, errorCode: 1002, says: ['application/json'] });
      expect(await effects()).toEqual(before);
    },
  );

  test('a customer id with a line break in the path: 1000', async () => {
    const customerID = 'a\r\nSet-Cookie: a=1';
    const answer = await world.post(`/api/customer/${encodeURIComponent(customerID)}/create`, { ...GOOD, customerID });
    expectRefused(answer, { status: 400, errorCode: 1000, says: ['customerID', 'printable ASCII'] });
    expect(await effects()).toEqual(before);
  });

  test.each([
    { what: 'a line that begins with a blank', key: 'a\r\n Set-Cookie: a=1' },
    { what: 'a carriage return', key: 'a\rSet-Cookie: a=1' },
    { what: 'a line feed', key: 'a\nSet-Cookie\u0000: a=1' },
  ])('an Idempotency-Key with $what in it: 1000, and no header of the answer is made of it', async ({ key }) => {
    const body = JSON.stringify(GOOD);
    const { answer, head } = await sendRaw(
      `POST ${CREATE} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Type: application/json\r\n` +
        `Idempotency-Key: ${key}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(head.toLowerCase()).not.toContain('set-cookie');
    expectRefused(answer, { status: 400, errorCode: 1000, says: ['cannot be read: it is not valid HTTP'] });
    expect(await effects()).toEqual(before);
  });
});

describe('an order that is not the customer’s to see', () => {
  test.each([
    { what: 'unknown', orderId: () => UNKNOWN_ORDER, customerId: () => bystander.customerId },
    { what: 'another customer’s', orderId: () => bystander.orderId, customerId: newCustomer },
    { what: 'not even an id', orderId: () => 'x', customerId: newCustomer },
  ])('$what: 2000 to read and to cancel, and a page that says so', async ({ orderId, customerId }) => {
    const order = { orderId: orderId(), customerId: customerId() };
    const expected = { status: 404, errorCode: 2000, says: [`order ${order.orderId} `] };
    expectRefused(await world.read(order), expected);
    expect(await effects()).toEqual(before);
    expectRefused(await world.cancel(order), expected);
    expect(await effects()).toEqual(before);

    const query = new URLSearchParams({ 'customer-id': order.customerId, 'order-id': order.orderId }).toString();
    const url = `${world.config.publicUrl}/payment`;
    for (const [method, page] of [
      ['GET', `${url}?${query}`],
      ['GET', `${url}/return?${query}`],
      ['POST', `${url}/cancel?${query}`],
    ]) {
      const response = await fetch(page!, { method: method! });
      expect(response.status).toBe(404);
      expect(await response.text()).toContain('We cannot find this order');
    }
    expect(await effects()).toEqual(before);
  });

  test('a route that is none: 1003', async () => {
    expectRefused(await world.post('/api/customer/a/ordering', GOOD), {
      status: 404,
      errorCode: 1003,
      says: ['POST /api/customer/a/ordering'],
    });
    expect(await effects()).toEqual(before);
  });
});

describe('an unknown item', () => {
  test('3001, and neither row nor stock is touched, though another line could be had', async () => {
    const answer = await world.post(CREATE, { ...GOOD, items: [LINE, { itemID: 'prod_none', quantity: 1 }] });
    expectRefused(answer, { status: 422, errorCode: 3001, says: ['Unknown item: prod_none'] });
    expect(await effects()).toEqual(before);
    expect(answer.body.data).toEqual({ item_ids: ['prod_none'] });
  });
});

describe('a webhook that is not Stripe’s', () => {
  const SECRET = 'whsec_of_somebody_else';
  /** It would say on the order's timeline that its card was declined. */
  const declined = () =>
    JSON.stringify({
      id: 'evt_forged',
      object: 'event',
      type: 'payment_intent.payment_failed',
      created: Math.floor(Date.now() / 1000),
      livemode: false,
      api_version: Stripe.API_VERSION,
      data: {
        object: { id: 'pi_1', metadata: { order_id: bystander.orderId }, last_payment_error: { code: 'expired_card' } },
      },
    });

  function sign(payload: string, { secret = endpointSecret(), ageSeconds = 0 } = {}): string {
    const timestamp = Math.floor(Date.now() / 1000) - ageSeconds;
    return Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp });
  }
  const endpointSecret = () => world.config.stripe.endpointSecrets[0]!;

  async function send(payload: string, signature: string | undefined): Promise<Answer> {
    const headers = { 'content-type': 'application/json', ...(signature && { 'stripe-signature': signature }) };
    const response = await fetch(world.webhookUrl, { method: 'POST', headers, body: payload });
    return { status: response.status, body: (await response.json()) as Envelope };
  }

  test.each<{ what: string; signature: (payload: string) => string | undefined; says: string }>([
    { what: 'unsigned', signature: () => undefined, says: 'is missing' },
    { what: 'stale', signature: (payload) => sign(payload, { ageSeconds: 301 }), says: 'older than 300 seconds' },
    { what: 'of the future', signature: (payload) => sign(payload, { ageSeconds: -400 }), says: 'from the future' },
    { what: 'forged', signature: (payload) => sign(payload, { secret: SECRET }), says: 'does not match' },
    { what: 'with another body than the signed one', signature: (payload) => sign(`${payload} `), says: 'not match' },
    { what: 'signed with nonsense', signature: () => 't=1,v1=0', says: 'does not match' },
  ])('$what: 1000, and the order hears nothing of it', async ({ signature, says }) => {
    const payload = declined();
    const answer = await send(payload, signature(payload));
    expectRefused(answer, { status: 400, errorCode: 1000, says: ['Stripe-Signature', says] });
    expect(await effects()).toEqual(before);
  });

  test.each([
    { what: 'no body', payload: '' },
    { what: 'no JSON', payload: 'x' },
  ])('signed, but $what: 1000', async ({ payload }) => {
    const answer = await send(payload, sign(payload));
    expectRefused(answer, { status: 400, errorCode: 1000, says: ['The request is not valid'] });
    expect(await effects()).toEqual(before);
  });

  test('of 3 MB: 1001', async () => {
    const answer = await sendLarge(world.webhookUrl, 'x'.repeat(3 * KILOBYTE * KILOBYTE));
    expectRefused(answer, { status: 413, errorCode: 1001, says: ['body'] });
    expect(await effects()).toEqual(before);
  });

  test('the same that is Stripe’s reaches the order', async () => {
    const payload = declined();
    expect(await send(payload, sign(payload))).toMatchObject({ status: 200, body: { data: { outcome: 'delivered' } } });
    await world.untilEvent(bystander.orderId, 'payment.failed');
  });
});

describe('afterwards', () => {
  test('no workflow was started but for the good order and for the unknown item, which took stock’s word', async () => {
    const started = await startedWorkflows();
    const results = await Promise.all(started.map((workflowId) => world.workflowResult(workflowId)));
    expect(results).toHaveLength(2);
    for (const status of ['CANCELLED', 'REFUSED']) {
      expect(results).toContainEqual(expect.objectContaining({ status }));
    }
  });

  test('a good create is taken as before', async () => {
    await world.create(newCustomer(), ONE_PENCIL).then((answer) => expect(answer.status).toBe(200));
  });
});

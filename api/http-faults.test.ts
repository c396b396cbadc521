import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { CUSTOMER, startApi } from './testing/api.ts';
import { orderRecord } from './testing/fakes.ts';
import { startWebhook } from './testing/webhook.ts';

const PENCIL = 'prod_SNjRcpjxpiazxk';
const GOOD = JSON.stringify({ customerID: CUSTOMER, items: [{ itemID: PENCIL, quantity: 1 }] });
const { orderId } = orderRecord();
const CREATE = `/api/customer/${CUSTOMER}/create`;
const CANCEL = `/api/customer/${CUSTOMER}/orders/${orderId}/cancel`;

describe('a sender that is too slow', () => {
  const RECEIVE_TIMEOUT_MS = 400;
  const servers = {
    'the API': async () => (await startApi({}, { receiveTimeoutMs: RECEIVE_TIMEOUT_MS })).api,
    'the webhook': async () => (await startWebhook({ receiveTimeoutMs: RECEIVE_TIMEOUT_MS })).app,
  };
  const headersOf = (path: string) =>
    `POST ${path} HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n`;
  const paths = { 'the API': CREATE, 'the webhook': '/webhook' };

  async function listen(app: FastifyInstance): Promise<number> {
    await app.listen({ host: '127.0.0.1', port: 0 });
    return (app.server.address() as AddressInfo).port;
  }

  /** Sends a beginning, then a byte now and then, and never ends by itself. */
  async function sendSlowly(port: number, beginning: string, drips: boolean) {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    let received = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      received += chunk;
    });
    socket.on('error', () => undefined);
    socket.write(beginning);
    const timer = drips ? setInterval(() => socket.writable && socket.write('x'), 50) : undefined;
    onTestFinished(() => clearInterval(timer));
    await once(socket, 'end');
    return received;
  }

  test.each(
    (['the API', 'the webhook'] as const).flatMap((server) =>
      [true, false].flatMap((drips) => [
        { server, drips, part: 'headers', end: 'X-Slow: ' },
        { server, drips, part: 'body', end: '\r\n{"customerID": "' },
      ]),
    ),
  )('of $part is cut off by $server (it drips: $drips)', async ({ server, drips, end }) => {
    const app = await servers[server]();
    const port = await listen(app);
    const startedAt = performance.now();
    const received = await sendSlowly(port, headersOf(paths[server]) + end, drips);
    expect(performance.now() - startedAt).toBeGreaterThan(RECEIVE_TIMEOUT_MS - 50);
    expect(performance.now() - startedAt).toBeLessThan(2 * RECEIVE_TIMEOUT_MS + 1_000);
    expect(received).toMatch(/^HTTP\/1\.1 408 /);
    expect(JSON.parse(received.split('\r\n\r\n')[1] ?? '')).toMatchObject({ errorCode: 1000, data: expect.anything() });
    // The sender has not closed its half; the connection is gone even so.
    await vi.waitFor(
      async () => {
        const open = await new Promise((resolve) => app.server.getConnections((_error, count) => resolve(count)));
        expect(open).toBe(0);
      },
      { timeout: 5_000 },
    );
  });

  test('is cut off after 15 seconds in production', async () => {
    for (const app of [(await startApi()).api, (await startWebhook()).app]) {
      const { headersTimeout, requestTimeout } = app.server;
      expect({ headersTimeout, requestTimeout }).toEqual({ headersTimeout: 15_000, requestTimeout: 15_000 });
    }
  });
});

describe('zero bytes are no body', () => {
  const types = ['application/json', 'application/x-www-form-urlencoded', 'text/plain'];

  test.each(types)('of a cancel that says it is %s', async (type) => {
    const { api, cancelled } = await startApi({ orders: [orderRecord({ status: 'WAITING_FOR_PAYMENT' })] });
    const headers = { 'content-type': type, 'content-length': '0' };
    const response = await api.inject({ method: 'POST', url: CANCEL, headers });
    expect(response.json()).not.toMatchObject({ errorCode: 1000 });
    expect(response.statusCode).not.toBe(415);
    expect(cancelled).toEqual([orderId]);
  });

  test.each(types)('if a body is needed, said to be %s', async (type) => {
    const { api } = await startApi();
    const response = await api.inject({ method: 'POST', url: CREATE, headers: { 'content-type': type }, payload: '' });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      data: { fields: [{ path: 'body', problem: expect.stringMatching(/^is empty/) }] },
    });
  });

  test('but bytes of another type are 1002', async () => {
    const { api, cancelled } = await startApi({ orders: [orderRecord({ status: 'WAITING_FOR_PAYMENT' })] });
    const headers = { 'content-type': 'text/plain' };
    const response = await api.inject({ method: 'POST', url: CANCEL, headers, payload: 'please' });
    expect([response.statusCode, response.json<{ errorCode: number }>().errorCode]).toEqual([415, 1002]);
    expect(cancelled).toEqual([]);
  });
});

describe('a body that is no JSON', () => {
  test.each([
    ['a token in a wrong place', '{"customerID": x}', 'line 1, column 16'],
    ['a comma too many, on another line', '{\n  "customerID": "a",\n}', 'line 3, column 1'],
    ['single quotes', "{'customerID': 1}", 'line 1, column 2'],
    ['no end', '{"customerID": "a"', 'column 19'],
    ['an array without an end', '{"items": [1,', 'it ends too early, at line 1, column 14'],
    ['a character that stands elsewhere too', '{"exact": x}', 'it has "x" in the wrong place'],
  ])('with %s is told its place, or none', async (_name, payload, says) => {
    const { create } = await startApi();
    const response = await create(payload);
    expect(response.statusCode).toBe(400);
    const { message } = response.json<{ message: string }>();
    expect(message).toContain(`is not JSON`);
    expect(message).toContain(says);
    expect(message.includes('column')).toBe(says.includes('column'));
  });
});

test('a byte order mark before the JSON is taken', async () => {
  const { create, created } = await startApi();
  expect((await create(`\uFEFF${GOOD}`)).statusCode).toBe(200);
  expect(created).toHaveLength(1);
});

describe('a Content-Encoding', () => {
  test.each(['gzip', 'br', 'GZIP', 'x-unknown'])('%s is 415 in words that name it', async (encoding) => {
    const { api, create, created } = await startApi();
    const response = await create(GOOD, { 'content-encoding': encoding });
    expect([response.statusCode, response.headers['accept-encoding']]).toEqual([415, 'identity']);
    expect(response.json()).toMatchObject({ errorCode: 1002, message: expect.stringContaining('Content-Encoding') });
    expect(created).toEqual([]);
    const read = await api.inject({ url: '/healthz', headers: { 'content-encoding': encoding } });
    expect(read.statusCode).toBe(200);
  });

  test('identity is none', async () => {
    const { create } = await startApi();
    expect((await create(GOOD, { 'content-encoding': 'identity' })).statusCode).toBe(200);
  });

  test('is reported by the webhook too, rather than a wrong signature', async () => {
    const { app } = await startWebhook();
    const headers = { 'content-encoding': 'gzip' };
    const response = await app.inject({ method: 'POST', url: '/webhook', headers, payload: '{}' });
    expect(response.statusCode).toBe(415);
  });
});

describe('a wrong method on a known path', () => {
  test.each([
    ['GET', CREATE, 'POST'],
    ['PUT', `/api/customer/${CUSTOMER}/orders/${orderId}`, 'GET, HEAD'],
    ['DELETE', CANCEL, 'POST'],
    ['POST', '/payment?customer-id=1', 'GET, HEAD'],
    ['GET', '/payment/cancel/', 'POST'],
    ['POST', '/healthz', 'GET, HEAD'],
    ['OPTIONS', CREATE, 'POST'],
    ['QUERY' as 'GET', CREATE, 'POST'],
  ] as const)('%s %s is 405, and Allow says %s', async (method, url, allow) => {
    const { api } = await startApi();
    // Neither the type nor the text of its body matters.
    const response = await api.inject({ method, url, headers: { 'content-type': 'text/plain' }, payload: 'x' });
    expect([response.statusCode, response.headers['allow']]).toEqual([405, allow]);
    expect(response.json()).toMatchObject({ errorCode: 1007, data: null });
  });

  test('QUERY without a type is 405 too', async () => {
    const { api } = await startApi();
    const response = await api.inject({ method: 'QUERY' as 'GET', url: CREATE });
    expect([response.statusCode, response.headers['allow']]).toEqual([405, 'POST']);
  });

  test('of the webhook', async () => {
    const { app } = await startWebhook();
    const response = await app.inject({ url: '/webhook' });
    expect([response.statusCode, response.headers['allow']]).toEqual([405, 'POST']);
  });

  test.each([
    ['GET', '/'],
    ['GET', '/api/customer'],
    ['GET', '/api/customer//create'],
    ['POST', `/api/customer/${CUSTOMER}/orders/${orderId}/nothing`],
  ] as const)('%s %s is no known path', async (method, url) => {
    const { api } = await startApi();
    const response = await api.inject({ method, url });
    expect([response.statusCode, response.json<{ errorCode: number }>().errorCode]).toEqual([404, 1003]);
  });
});

describe('a slash at the end', () => {
  test('of a page is the same page', async () => {
    const { api } = await startApi({ orders: [orderRecord()] });
    const query = `customer-id=${CUSTOMER}&order-id=${orderId}`;
    const [page, same] = [await api.inject(`/payment?${query}`), await api.inject(`/payment/?${query}`)];
    expect([page.statusCode, same.statusCode]).toEqual([200, 200]);
    expect(same.body).toBe(page.body);
    expect((await api.inject('/docs/')).statusCode).toBe(200);
    expect((await api.inject('/docs')).statusCode).toBe(200);
  });

  test('of the webhook is the webhook', async () => {
    const { app } = await startWebhook();
    const response = await app.inject({ method: 'POST', url: '/webhook/', payload: '{}' });
    expect(response.json()).toMatchObject({ errorCode: 1000, message: expect.stringContaining('Stripe-Signature') });
  });
});

describe('an Idempotency-Key', () => {
  const idOf = async (key: string) => {
    const { create, created } = await startApi();
    const response = await create(GOOD, { 'idempotency-key': key });
    return created[0]?.orderId ?? response.statusCode;
  };

  test.each([
    ['"k"', 'k'],
    ['"a \\"quoted\\" key"', 'a "quoted" key'],
    ['"back\\\\slash"', 'back\\slash'],
  ])('%s and %s are one key', async (quoted, plain) => {
    expect(await idOf(quoted)).toBe(await idOf(plain));
  });

  test.each([
    ['"k', 'k'],
    ['k"', 'k'],
    ['"k" "l"', 'k" "l'],
  ])('%s and %s are two keys', async (one, other) => {
    expect(await idOf(one)).not.toBe(await idOf(other));
  });

  test('with nothing between its quotes is refused', async () => {
    expect(await idOf('""')).toBe(400);
  });
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { orderIdOfKey } from '../api/order-id.ts';
import { AUDIENCE, type IdentityProvider, ISSUER, openIdentityProvider } from '../api/testing/identity-provider.ts';
import type { OrderRecord } from '../database/orders.ts';
import type { Created, Envelope } from '../dev/invariants/shop-client.ts';
import { newCustomer, ONE_PENCIL, startWorld, type World } from './support/world.ts';

/* Customers and operators with tokens of an identity provider, and customers with the link to their order. */

const ORDER_ID_SECRET = 'order-id-secret-of-32-characters-or-more';
const logLines: string[] = [];
const tokens: string[] = [];
let provider: IdentityProvider;
let world: World;
beforeAll(async () => {
  provider = await openIdentityProvider();
  world = await startWorld(
    {
      AUTH_JWKS_URL: provider.jwksUrl,
      AUTH_ISSUER: ISSUER,
      AUTH_AUDIENCE: AUDIENCE,
      ORDER_LINK_SECRET: 'link-secret-of-32-characters-or-more',
      ORDER_ID_SECRET,
      LOG_LEVEL: 'trace',
    },
    { write: (line) => void logLines.push(line) },
  );
});
afterAll(async () => {
  await world?.stop();
  provider?.close();
});

async function headersOf(claims: Record<string, unknown>): Promise<{ authorization: string }> {
  const token = await provider.issue(claims);
  tokens.push(token);
  return { authorization: `Bearer ${token}` };
}

async function create(customerId: string, headers: Record<string, string> = {}) {
  const path = `/api/customer/${customerId}/create`;
  const signedIn = { ...(await headersOf({ sub: customerId })), ...headers };
  const answer = await world.post<Created>(path, { customerID: customerId, items: ONE_PENCIL }, signedIn);
  expect(answer).toMatchObject({ status: 200, body: { errorCode: 0 } });
  tokens.push(new URL(answer.body.data.redirect_url).searchParams.get('token') ?? 'no token');
  return answer.body.data;
}

async function operate(order: Pick<OrderRecord, 'orderId'>, step: string, body: object = {}, name = 'kim') {
  const headers = await headersOf({ sub: name, scope: 'orders:operate' });
  return world.post(`/api/operator/orders/${order.orderId}/${step}`, body, headers);
}

/** Opens a page as a browser does that keeps no more than this cookie. */
async function open(url: string, cookie = '') {
  const response = await fetch(url, { redirect: 'manual', headers: cookie === '' ? {} : { cookie } });
  const [kept = ''] = (response.headers.get('set-cookie') ?? '').split(';');
  return {
    status: response.status,
    location: response.headers.get('location') ?? '',
    cookie: kept,
    body: await response.text(),
  };
}

function whoDid({ timeline }: OrderRecord, event: string): string | undefined {
  return timeline.find((entry) => entry.event === event)?.data.by;
}

async function histories(): Promise<string> {
  const query = `TaskQueue = '${world.config.temporal.taskQueuePrefix}orders'`;
  const texts: string[] = [];
  for await (const { workflowId, runId } of world.client.workflow.list({ query })) {
    const history = await world.client.workflow.getHandle(workflowId, runId).fetchHistory();
    const asText = (_key: string, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value;
    texts.push(JSON.stringify(history, asText));
  }
  return texts.join('\n');
}

describe.sequential('with sign-in', () => {
  test('an order goes from its link over Stripe and back to its end', async () => {
    const customer = newCustomer();
    const created = await create(customer);
    const page = await open(created.redirect_url);
    expect(page).toMatchObject({ status: 200, cookie: expect.stringMatching(/^order-[0-9a-f]{24}=\S+$/) });
    const waiting = await world.untilStatus(created.order_id, 'WAITING_FOR_PAYMENT');

    // What Stripe has is the way back, and no token.
    await world.pay(waiting);
    const stripesWayBack = `${world.config.publicUrl}/payment/return?customer-id=${customer}&order-id=${created.order_id}`;
    expect(await open(stripesWayBack)).toMatchObject({ status: 404 });
    const back = await open(stripesWayBack, page.cookie);
    expect(back.status).toBe(303);
    expect((await open(back.location)).status).toBe(200);

    const finished = await world.untilStatus(created.order_id, 'FINISHED');
    const read = await fetch(`${world.config.publicUrl}/api/customer/${customer}/orders/${created.order_id}`, {
      headers: await headersOf({ sub: customer }),
    });
    expect((await read.json()) as Envelope).toMatchObject({ data: { status: 'FINISHED' } });

    expect(await operate(finished, 'refund', { restock: true })).toMatchObject({ status: 200 });
    const refunded = await world.untilStatus(created.order_id, 'REFUNDED');
    expect(whoDid(refunded, 'refund.requested')).toBe('kim');
  });

  test('what operators do is on the timeline in their name, which customers are not shown', async () => {
    const customer = newCustomer();
    const created = await create(customer);
    const waiting = await world.untilStatus(created.order_id, 'WAITING_FOR_PAYMENT');
    const cancelled = await operate(waiting, 'cancel', { reason: 'We are closed.' }, 'robin');
    expect(cancelled).toMatchObject({
      status: 200,
      body: {
        data: { timeline: expect.arrayContaining([expect.objectContaining({ status: 'CANCELLED', by: 'robin' })]) },
      },
    });
    expect(whoDid(await world.order(created.order_id), 'order.cancelled')).toBe('robin');
    const token = new URL(created.redirect_url).searchParams.get('token');
    const read = await fetch(
      `${world.config.publicUrl}/api/customer/${customer}/orders/${created.order_id}?token=${token}`,
    );
    expect(read.status).toBe(200);
    expect(await read.text()).not.toContain('robin');
    expect((await open(created.redirect_url)).body).not.toContain('robin');
  });

  test('an operator who cancels before there is a payment link is written down too', async () => {
    const path = '/v1/checkout/sessions';
    await world.stripe.addFault({ method: 'POST', path, times: 100, action: { type: 'error', status: 503 } });
    const created = await create(newCustomer());
    await world.until(async () => expect((await world.stripe.faults()).some(({ fired }) => fired > 0)).toBe(true));
    await operate({ orderId: created.order_id }, 'cancel');
    const cancelled = await world.untilStatus(created.order_id, 'CANCELLED');
    await world.stripe.clearFaults();
    expect(cancelled).toMatchObject({ paymentLink: null });
    expect(whoDid(cancelled, 'order.cancelled')).toBe('kim');
  });

  test('a customer who cancels is not written down as an operator', async () => {
    const customer = newCustomer();
    const created = await create(customer);
    await world.untilStatus(created.order_id, 'WAITING_FOR_PAYMENT');
    const token = new URL(created.redirect_url).searchParams.get('token');
    const url = `/api/customer/${customer}/orders/${created.order_id}/cancel?token=${token}`;
    expect(await world.post(url, {})).toMatchObject({ status: 200 });
    expect(whoDid(await world.order(created.order_id), 'order.cancelled')).toBeUndefined();
  });

  test('a key that comes again brings the same order under the same link, and nobody can work out its id', async () => {
    const customer = newCustomer();
    const first = await create(customer, { 'idempotency-key': 'invoice-1' });
    expect(await create(customer, { 'idempotency-key': 'invoice-1' })).toEqual(first);
    expect(first.order_id).toBe(orderIdOfKey(customer, 'invoice-1', ORDER_ID_SECRET));
    expect(first.order_id).not.toBe(orderIdOfKey(customer, 'invoice-1'));
  });

  test('no token is found in logs, histories or tables', async () => {
    const rows = await world.database.query<{ text: string }>(
      `SELECT query_to_xml(format('SELECT * FROM %I', tablename), true, true, '')::text AS text
       FROM pg_tables WHERE schemaname = 'public'`,
    );
    const places = {
      'the log': logLines.join(''),
      'the histories': await histories(),
      'the tables': rows.rows.map(({ text }) => text).join('\n'),
    };
    expect(tokens.length).toBeGreaterThan(10);
    for (const [place, text] of Object.entries(places)) {
      expect(text, `${place} tell of orders`).toMatch(/[0-9a-f]{24}/);
      for (const token of tokens) {
        expect(token).toMatch(/^eyJ/);
        expect(text.includes(token), `a token is in ${place}`).toBe(false);
      }
    }
  });
});

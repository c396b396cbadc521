import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createOrdersApi } from '../api/orders-api.ts';
import { createDatabase, type Database } from '../database/database.ts';
import { freePort } from '../platform/free-port.ts';
import { createLogger } from '../platform/logger.ts';
import { type Answer, type Created, ShopClient } from '../dev/invariants/shop-client.ts';
import { newCustomer, ONE_PENCIL, PENCIL, startWorld, type World } from './support/world.ts';

/* The limits of unpaid orders hold across all processes of the orders API. */

const LIMIT = 5;
const CREATES = 50;

async function startSecondApi(world: World): Promise<{ client: ShopClient; close: () => Promise<void> }> {
  const { config } = world;
  const port = await freePort();
  const database: Database = createDatabase({ ...config.database, name: 'second' });
  const logger = createLogger({ production: true, logLevel: 'silent' }, 'second');
  const api = await createOrdersApi({ config, client: world.client, database, checks: {}, logger });
  await api.listen({ host: '127.0.0.1', port });
  return {
    client: new ShopClient(`http://127.0.0.1:${port}`),
    close: async () => {
      await api.close();
      await database.end();
    },
  };
}

function refusals(answers: readonly Answer<Created>[]) {
  return answers.filter(({ status }) => status !== 200);
}

describe('with a limit for each customer', () => {
  let world: World;
  let second: Awaited<ReturnType<typeof startSecondApi>>;
  beforeAll(async () => {
    world = await startWorld({
      CUSTOMER_MAX_UNPAID_ORDERS: String(LIMIT),
      CUSTOMER_MAX_UNPAID_PIECES: '20',
      CREATE_TIMEOUT_SECONDS: '60',
    });
    second = await startSecondApi(world);
  });
  afterAll(async () => {
    await second?.close();
    await world?.stop();
  });

  test('fifty creates at once through two processes make exactly five orders', { timeout: 90_000 }, async () => {
    const customer = newCustomer();
    const answers = await Promise.all(
      Array.from({ length: CREATES }, (_, index) =>
        (index % 2 === 0 ? world : second.client).create(customer, ONE_PENCIL),
      ),
    );
    const rows = await world.database.query('SELECT FROM orders WHERE customer_id = $1', [customer]);
    expect(rows.rowCount).toBe(LIMIT);
    const made = answers.filter(({ status }) => status === 200).map(({ body }) => body.data.order_id);
    expect(made).toHaveLength(LIMIT);
    for (const answer of refusals(answers)) {
      expect(answer).toMatchObject({
        status: 429,
        body: {
          errorCode: 2003,
          data: { of: 'customer', limit: { orders: LIMIT, pieces: 20 }, open: { orders: LIMIT, pieces: LIMIT } },
        },
      });
      expect((answer.body.data as unknown as { order_ids: string[] }).order_ids.toSorted()).toEqual(made.toSorted());
    }
    // One that is cancelled makes room for one.
    const waiting = await world.untilStatus(made[0] ?? '', 'WAITING_FOR_PAYMENT');
    await world.cancel(waiting);
    expect((await world.create(customer, ONE_PENCIL)).status).toBe(200);
    expect((await second.client.create(customer, ONE_PENCIL)).status).toBe(429);
    // And so does one that is paid.
    const paid = await world.untilStatus(made[1] ?? '', 'WAITING_FOR_PAYMENT');
    await world.pay(paid);
    await world.untilStatus(paid.orderId, 'FINISHED');
    expect((await second.client.create(customer, ONE_PENCIL)).status).toBe(200);
  });

  test('a key that was refused is refused again, though there is room by now', async () => {
    const customer = newCustomer();
    const all = [{ itemID: PENCIL, quantity: 20 }];
    const { body } = await world.create(customer, all);
    const refused = await world.create(customer, ONE_PENCIL, 'key');
    expect(refused).toMatchObject({ status: 429, body: { errorCode: 2003, data: { wanted_pieces: 1 } } });
    expect(refused.body.message).toContain('hold 20 pieces');

    await world.cancel(await world.untilStatus(body.data.order_id, 'WAITING_FOR_PAYMENT'));
    expect(await second.client.create(customer, ONE_PENCIL, 'key')).toEqual(refused);
    expect((await world.create(customer, ONE_PENCIL, 'another')).status).toBe(200);
  });

  test('each customer has a limit of their own', async () => {
    expect((await world.create(newCustomer(), [{ itemID: PENCIL, quantity: 20 }])).status).toBe(200);
    expect((await world.create(newCustomer(), [{ itemID: PENCIL, quantity: 20 }])).status).toBe(200);
  });
});

describe('with a limit for each address', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      ADDRESS_MAX_UNPAID_ORDERS: '2',
      ORDER_ID_SECRET: 'order-id-secret-of-32-characters-or-more',
      TRUSTED_PROXIES: '127.0.0.1',
    });
  });
  afterAll(() => world?.stop());

  async function createFrom(address: string, customerId = newCustomer()) {
    const body = { customerID: customerId, items: ONE_PENCIL };
    return world.post<Created>(`/api/customer/${customerId}/create`, body, { 'x-forwarded-for': address });
  }

  test('a new name for each order does not help, and others are not kept out', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => createFrom('203.0.113.7')));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(2);
    for (const answer of refusals(answers)) {
      expect(answer).toMatchObject({ body: { errorCode: 2003, data: { of: 'address', order_ids: [] } } });
    }
    expect((await createFrom('203.0.113.8')).status).toBe(200);
    const texts = await world.database.query<{ text: string }>('SELECT r::text AS text FROM reservations r');
    expect(texts.rows.map(({ text }) => text).join()).not.toContain('203.0.113');
  });
});

import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createDatabase } from '../database/database.ts';
import { createSandboxAdmin, type SandboxAdmin } from '../dev/stripe-sandbox/admin-client.ts';
import { findViolations } from '../dev/invariants/find-violations.ts';
import { ShopClient } from '../dev/invariants/shop-client.ts';
import { prepareStack, type StartedStack } from './support/started-stack.ts';
import { newCustomer, ONE_PENCIL } from './support/world.ts';

const PATIENCE_MS = 60_000;

describe('the stack of `npm start` when all of it is killed', () => {
  let stack: StartedStack;
  beforeAll(async () => {
    stack = await prepareStack();
  });
  afterAll(() => stack.remove());

  test('goes on with an order that waits for its payment', { timeout: 360_000 }, async () => {
    const shop = new ShopClient(stack.apiUrl);
    const stripe = createSandboxAdmin(stack.sandboxUrl);
    const customerId = newCustomer();
    await stack.start();
    const created = await shop.create(customerId, ONE_PENCIL, 'key');
    expect(created).toMatchObject({ status: 200 });
    const order = { customerId, orderId: created.body.data.order_id };
    await untilStatus(shop, order, 'WAITING_FOR_PAYMENT');
    const [session] = await stripe.sessions(order.orderId);
    expect(session).toMatchObject({ status: 'open' });

    const killed = await stack.crash();
    expect(killed).toEqual(['Orders API', 'PostgreSQL', 'Stripe sandbox', 'Temporal', 'Webhook receiver', 'Workers']);
    await expect(shop.read(order)).rejects.toThrow('fetch failed');

    await stack.start();
    expect(await shop.read(order)).toMatchObject({ body: { data: { status: 'WAITING_FOR_PAYMENT' } } });
    expect(await shop.create(customerId, ONE_PENCIL, 'key')).toEqual(created);
    expect(await stripe.pay(session!.id)).toMatchObject({ outcome: 'succeeded' });
    await untilStatus(shop, order, 'FINISHED');
    expect(await stripe.pay(session!.id)).toMatchObject({ outcome: 'closed' });
    const { charges, refunds } = await stripe.ledger(order.orderId);
    expect(charges).toMatchObject([{ amountMinor: 100, amountRefundedMinor: 0, status: 'succeeded' }]);
    expect(refunds).toEqual([]);
    await expectNoViolations(stack, stripe, shop);
  });
});

type OrderIds = { readonly customerId: string; readonly orderId: string };

async function untilStatus(shop: ShopClient, order: OrderIds, status: string): Promise<void> {
  await vi.waitFor(async () => expect(await shop.read(order)).toMatchObject({ body: { data: { status } } }), {
    timeout: PATIENCE_MS,
    interval: 100,
  });
}

async function expectNoViolations(stack: StartedStack, stripe: SandboxAdmin, { creates }: ShopClient): Promise<void> {
  const { DATABASE_URL: url = '', TEMPORAL_ADDRESS: address = '' } = stack.connections();
  const database = createDatabase({ url, poolSize: 2, name: 'test' });
  const connection = await Connection.connect({ address });
  try {
    const client = new Client({ connection });
    await vi.waitFor(async () => expect(await findViolations({ database, client, stripe, creates })).toEqual([]), {
      timeout: PATIENCE_MS,
      interval: 100,
    });
  } finally {
    await connection.close();
    await database.end();
  }
}

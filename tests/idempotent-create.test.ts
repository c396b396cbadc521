import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { orderIdOfKey, requestHash } from '../api/order-id.ts';
import { ORDER_LIFECYCLE, type OrderLifecycleInput } from '../contracts/messages.ts';
import type { Items } from '../dev/invariants/shop-client.ts';
import { orderPolicy } from '../api/order-policy.ts';
import { BOOK, newCustomer, ONE_PENCIL, PENCIL, startWorld, type World } from './support/world.ts';

const TWO_PENCILS: Items = [{ itemID: PENCIL, quantity: 2 }];
const newKey = () => `key-${randomBytes(8).toString('hex')}`;
const OTHER_REQUEST = { status: 422, body: { errorCode: 2002, data: null } };

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

describe.concurrent('a create with an Idempotency-Key', () => {
  test('brings one order and one answer to all who send it at once', async () => {
    const customer = newCustomer();
    const key = newKey();
    const blocker = await world.database.connect();
    await blocker.query('BEGIN');
    // While the item is locked no create can be answered, so all of them are under way together.
    await world.stockItem({ itemId: key, unitAmountMinor: 100, currency: 'USD', available: 10 });
    await blocker.query('SELECT FROM items WHERE item_id = $1 FOR UPDATE', [key]);
    const answers = Promise.all(Array.from({ length: 5 }, () => world.create(customer, item(key, 1), key)));
    await world.until(async () => {
      const waiting = await world.database.query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
      );
      expect(waiting.rowCount).toBeGreaterThan(0);
    });
    await blocker.query('ROLLBACK');
    blocker.release();

    const [first, ...others] = await answers;
    expect(first?.status).toBe(200);
    for (const other of others) expect(other).toEqual(first);
    expect(await world.stockOf(key)).toBe(9);
  });

  test('is answered as the first time while the order waits, after its end, and after Temporal has forgotten it', async () => {
    const customer = newCustomer();
    const key = newKey();
    const first = await world.create(customer, TWO_PENCILS, key);
    const { order_id: orderId } = first.body.data;
    const waiting = await world.untilStatus(orderId, 'WAITING_FOR_PAYMENT');
    expect(await world.create(customer, TWO_PENCILS, key)).toEqual(first);

    await world.pay(waiting);
    await world.untilStatus(orderId, 'FINISHED');
    await world.workflowResult(orderId);
    expect(await world.create(customer, TWO_PENCILS, key)).toEqual(first);

    await world.forgetWorkflow(orderId);
    expect(await world.create(customer, TWO_PENCILS, key)).toEqual(first);
    expect(await world.create(customer, ONE_PENCIL, key)).toMatchObject(OTHER_REQUEST);
    // The row has the answer, so nothing is started again.
    expect(await world.knowsWorkflow(orderId)).toBe(false);
    expect((await world.order(orderId)).status).toBe('FINISHED');
    expect((await world.stripe.ledger(orderId)).charges).toHaveLength(1);
  }, 150_000);

  test('knows its request by what is ordered, not by how it is written', async () => {
    const customer = newCustomer();
    const key = newKey();
    const split = [
      { itemID: PENCIL, quantity: 1 },
      { itemID: BOOK, quantity: 2 },
      { itemID: PENCIL, quantity: 1 },
    ];
    const merged = [
      { itemID: BOOK, quantity: 2 },
      { itemID: PENCIL, quantity: 2 },
    ];
    const first = await world.create(customer, split, key);
    expect(await world.create(customer, merged, key)).toEqual(first);
  });

  test('is refused with another request, while the order waits and after its end', async () => {
    const customer = newCustomer();
    const key = newKey();
    const { order_id: orderId } = (await world.create(customer, ONE_PENCIL, key)).body.data;
    expect(await world.create(customer, TWO_PENCILS, key)).toMatchObject(OTHER_REQUEST);

    await world.cancel(await world.untilStatus(orderId, 'WAITING_FOR_PAYMENT'));
    await world.workflowResult(orderId);
    expect(await world.create(customer, TWO_PENCILS, key)).toMatchObject(OTHER_REQUEST);
    expect((await world.order(orderId)).lines).toMatchObject([{ quantity: 1 }]);
  });

  test.each([
    { refusal: 'out of stock', items: (id: string) => item(id, 3), status: 409, errorCode: 3000 },
    { refusal: 'an unknown item', items: (id: string) => item(`no-${id}`, 1), status: 422, errorCode: 3001 },
  ])('is refused again for $refusal, though it could be had by now', async ({ items, status, errorCode }) => {
    const customer = newCustomer();
    const key = newKey();
    await world.stockItem({ itemId: key, unitAmountMinor: 100, currency: 'USD', available: 2 });
    const first = await world.create(customer, items(key), key);
    expect(first).toMatchObject({ status, body: { errorCode } });

    await world.stockItem({ itemId: `no-${key}`, unitAmountMinor: 100, currency: 'USD', available: 1 });
    await world.database.query('UPDATE items SET initial = 3, available = 3 WHERE item_id = $1', [key]);
    expect(await world.create(customer, items(key), key)).toEqual(first);
    expect(await world.create(customer, item(key, 1), key)).toMatchObject(OTHER_REQUEST);
    expect(await world.create(customer, items(key), newKey())).toMatchObject({ status: 200 });
  });

  test('is refused also if Temporal lost the update and ran the workflow anyway', async () => {
    const customer = newCustomer();
    const key = newKey();
    const lines = [{ itemId: PENCIL, quantity: 9_999 }];
    const orderId = orderIdOfKey(customer, key);
    const input: OrderLifecycleInput = {
      orderId,
      customerId: customer,
      lines,
      requestHash: requestHash(customer, lines),
      keyed: true,
      traceId: '1'.repeat(32),
      traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
      successUrl: 'http://127.0.0.1/success',
      cancelUrl: 'http://127.0.0.1/cancel',
      policy: orderPolicy(world.config),
    };
    await world.client.workflow.execute<(input: OrderLifecycleInput) => Promise<unknown>>(ORDER_LIFECYCLE, {
      workflowId: orderId,
      taskQueue: `${world.config.temporal.taskQueuePrefix}orders`,
      args: [input],
    });
    const items = lines.map(({ itemId, quantity }) => ({ itemID: itemId, quantity }));
    expect(await world.create(customer, items, key)).toMatchObject({
      status: 409,
      body: { errorCode: 3000, traceID: input.traceId },
    });
  });

  test('belongs to its customer: two customers with one key have two orders', async () => {
    const key = newKey();
    const [one, other] = [
      await world.create(newCustomer(), ONE_PENCIL, key),
      await world.create(newCustomer(), ONE_PENCIL, key),
    ];
    expect([one.status, other.status]).toEqual([200, 200]);
    expect(other.body.data.order_id).not.toBe(one.body.data.order_id);
    expect(other.body.traceID).not.toBe(one.body.traceID);
  });

  test.each([
    ['empty', ''],
    ['256 characters long', 'k'.repeat(256)],
    ['not ASCII', 'clé'],
  ])('is not valid if it is %s', async (_what, key) => {
    const answer = await world.create(newCustomer(), ONE_PENCIL, key);
    expect(answer).toMatchObject({ status: 400, body: { errorCode: 1000, data: { fields: [expect.anything()] } } });
    expect(answer.body.message).toContain('idempotency-key');
  });

  test('may be 255 characters long', async () => {
    const customer = newCustomer();
    const key = 'k'.repeat(255);
    const first = await world.create(customer, ONE_PENCIL, key);
    expect(first.status).toBe(200);
    expect(await world.create(customer, ONE_PENCIL, key)).toEqual(first);
  });
});

test('without a key each create is an order of its own', async () => {
  const customer = newCustomer();
  const [one, other] = [await world.create(customer, ONE_PENCIL), await world.create(customer, ONE_PENCIL)];
  expect([one.status, other.status]).toEqual([200, 200]);
  expect(other.body.data.order_id).not.toBe(one.body.data.order_id);
});

function item(itemID: string, quantity: number): Items {
  return [{ itemID, quantity }];
}

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OrderRecord } from '../database/orders.ts';
import { findViolations } from '../dev/invariants/find-violations.ts';
import { PENCIL, startWorld, type World } from './support/world.ts';

/** What the checker must notice: each is done to a finished order, looked at, and undone. */
const DAMAGES: readonly { readonly what: string; readonly damage: string; readonly noticed: RegExp }[] = [
  {
    what: 'stock out of nowhere',
    damage: `UPDATE items SET available = available + 1 WHERE item_id = '${PENCIL}' AND $1 = $1`,
    noticed: /^I1: item prod_\w+: 100 available \+ 1 held, not 100/,
  },
  {
    what: 'goods that nobody holds',
    damage: `UPDATE reservations SET state = 'released', released_at = now() WHERE order_id = $1`,
    noticed: /^I1: order \w+ is FINISHED, but its reservation is released/,
  },
  {
    what: 'a reservation of something else',
    damage: 'UPDATE reservation_lines SET quantity = 2 WHERE order_id = $1',
    noticed: /^I1: order \w+ holds something else than its lines/,
  },
  {
    what: 'a charge of another amount',
    damage: 'UPDATE orders SET total_amount_minor = 1 WHERE order_id = $1',
    noticed: /^I2: order \w+ is charged 100 usd instead of 1 USD/,
  },
  {
    what: 'a charge of an order that has no goods',
    damage: `UPDATE orders SET status = 'EXPIRED' WHERE order_id = $1`,
    noticed: /^I2: order \w+ is EXPIRED with 1 charges that were not given back/,
  },
  {
    what: 'money that the books do not know',
    damage: 'UPDATE orders SET kept_amount_minor = 99 WHERE order_id = $1',
    noticed: /^I9: Stripe keeps 100 of order \w+, its row says 99/,
  },
  {
    what: 'an order of somebody else than answered',
    damage: `UPDATE orders SET customer_id = 'somebody' WHERE order_id = $1`,
    noticed: /^I3: order \w+ was answered and does not exist/,
  },
  {
    what: 'a status that cannot follow',
    damage: `UPDATE order_timeline SET status = 'EXPIRED' WHERE order_id = $1 AND seq = 2`,
    noticed: /^I5: order \w+: entry 2 .* cannot come after PENDING/,
  },
  {
    what: 'a gap in the timeline',
    damage: 'DELETE FROM order_timeline WHERE order_id = $1 AND seq = 3',
    noticed: /^I5: order \w+: entry 4 .* does not follow entry 2/,
  },
  {
    what: 'a timeline out of order',
    damage: `UPDATE order_timeline SET at = at - interval '1 hour' WHERE order_id = $1 AND seq = 3`,
    noticed: /^I5: order \w+: entry 3 .* is older than the one before/,
  },
  {
    what: 'a row that says something else than the workflow',
    damage: `UPDATE orders SET status = 'WAITING_FOR_PAYMENT' WHERE order_id = $1`,
    noticed: /^I6: order \w+ is WAITING_FOR_PAYMENT and its workflow COMPLETED/,
  },
  {
    what: 'an order that has no workflow',
    damage: `INSERT INTO orders
      (order_id, customer_id, status, seq, total_amount_minor, currency, request_hash, trace_id, run_id, created_at)
      SELECT repeat('0', 24), customer_id, 'PENDING', 1, 100, 'USD', '', '', '', created_at FROM orders WHERE order_id = $1`,
    noticed: /^I6: order 0{24} is PENDING and has no workflow/,
  },
];

describe('the checker of the invariants', () => {
  let world: World;
  let order: OrderRecord;
  beforeAll(async () => {
    world = await startWorld();
    order = await world.finishedOrder();
    await world.workflowResult(order.orderId);
  });
  afterAll(() => world.stop());

  test('has nothing to say of an order that went well', async () => {
    expect(await findViolations(world)).toEqual([]);
  });

  test.each([
    { what: 'a refund at the dashboard', type: 'charge.refunded', object: { refunded: true } },
    { what: 'a lost dispute', type: 'charge.dispute.closed', object: { status: 'lost' } },
  ])('notices goods that left more than a minute after $what', async ({ type, object }) => {
    const { client, database, creates } = world;
    const [first] = await world.stripe.events();
    const gone = {
      ...first!,
      type,
      created: first!.created - 120,
      data: { object: { ...object, payment_intent: order.paymentIntentId } },
    };
    const stripe = { ledger: world.stripe.ledger, events: async () => [gone] };
    expect(await findViolations({ database, client, stripe, creates })).toEqual([
      expect.stringMatching(/^I8: order \w+ was shipped more than a minute after/),
    ]);
  });

  test.each(DAMAGES)('notices $what', async ({ damage, noticed }) => {
    const { client, stripe, creates } = world;
    const database = await world.database.connect();
    try {
      await database.query('BEGIN');
      await database.query(damage, [order.orderId]);
      const violations = await findViolations({ database, client, stripe, creates });
      expect(violations).toContainEqual(expect.stringMatching(noticed));
    } finally {
      await database.query('ROLLBACK');
      database.release();
    }
  });
});

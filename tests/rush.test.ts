import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BOOK, newCustomer, PENCIL, startWorld, type World } from './support/world.ts';

const CREATES = 200;
/** What the contract has in stock at the start. */
const PENCILS = 100;
const BOOKS = 200;

describe('a rush on the last pencils', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ CREATE_TIMEOUT_SECONDS: '60' });
  });
  afterAll(() => world.stop(), 120_000);

  test(
    '200 creates at once over 100 pencils: 100 orders, and 100 times out of stock',
    { timeout: 90_000 },
    async () => {
      const pencil = { itemID: PENCIL, quantity: 1 };
      const book = { itemID: BOOK, quantity: 1 };
      const answers = await Promise.all(
        // Both orders of the lines: were the rows locked in that order, two creates could wait for each other for good.
        Array.from({ length: CREATES }, (_, index) =>
          world.create(newCustomer(), index % 2 === 0 ? [pencil, book] : [book, pencil]),
        ),
      );
      const accepted = answers.filter(({ status }) => status === 200);
      const refused = answers.filter(({ status }) => status !== 200);
      console.info(`${accepted.length} of ${CREATES} creates were accepted, ${refused.length} were refused`);

      expect(accepted).toHaveLength(PENCILS);
      const orderIds = new Set(accepted.map(({ body }) => body.data.order_id));
      expect(orderIds.size).toBe(PENCILS);
      for (const answer of refused) {
        expect(answer).toMatchObject({
          status: 409,
          body: { errorCode: 3000, data: { items: [{ item_id: PENCIL, wanted: 1, available: 0 }] } },
        });
        expect(answer.body.message).toContain(PENCIL);
      }

      expect(await world.stockOf(PENCIL)).toBe(0);
      // All lines or none: no book is gone with an order that had no pencil.
      expect(await world.stockOf(BOOK)).toBe(BOOKS - PENCILS);
      const rows = await world.database.query<{ order_id: string }>('SELECT order_id FROM orders');
      expect(new Set(rows.rows.map(({ order_id }) => order_id))).toEqual(orderIds);

      for (const { body } of accepted) await world.untilStatus(body.data.order_id, 'WAITING_FOR_PAYMENT');
    },
  );
});

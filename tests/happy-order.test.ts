import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BOOK, PENCIL, startWorld, type World } from './support/world.ts';

/** A happy order costs no more of Temporal's history than this; a change that needs more has to say why. */
const MAX_HISTORY_EVENTS = 42;

describe('an order that is paid', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.stop());

  test('goes from the contract’s request to FINISHED', async () => {
    const customerId = '0a69556f-fe95-48eb-bb0a-099d9b0f2a50';
    const created = await world.create(customerId, [
      { itemID: PENCIL, quantity: 5 },
      { itemID: BOOK, quantity: 5 },
      { itemID: PENCIL, quantity: 15 },
    ]);
    expect(created).toEqual({
      status: 200,
      body: {
        data: {
          customer_id: customerId,
          order_id: expect.stringMatching(/^[0-9a-f]{24}$/),
          redirect_url: `${world.config.publicUrl}/payment?customer-id=${customerId}&order-id=${created.body.data.order_id}`,
        },
        errorCode: 0,
        message: 'success',
        traceID: expect.stringMatching(/^(?!0{32})[0-9a-f]{32}$/),
      },
    });
    const { order_id: orderId } = created.body.data;
    expect(await world.stockOf(PENCIL)).toBe(80);
    expect(await world.stockOf(BOOK)).toBe(195);

    const waiting = await world.untilStatus(orderId, 'WAITING_FOR_PAYMENT');
    await world.pay(waiting);
    const finished = await world.untilStatus(orderId, 'FINISHED');
    expect(finished.timeline.map((entry) => [entry.event, entry.status])).toEqual([
      ['order.created', 'PENDING'],
      ['payment.requested', 'WAITING_FOR_PAYMENT'],
      ['order.paid', 'PAID'],
      ['order.finished', 'FINISHED'],
    ]);
    expect(await world.workflowResult(orderId)).toEqual({ status: 'FINISHED' });

    const { charges } = await world.stripe.ledger(orderId);
    expect(charges).toMatchObject([{ amountMinor: 4500, amountRefundedMinor: 0, status: 'succeeded' }]);

    const history = await world.client.workflow.getHandle(orderId).fetchHistory();
    const events = history.events?.length ?? 0;
    console.info(`A happy order costs ${events} history events`);
    expect(events).toBeLessThanOrEqual(MAX_HISTORY_EVENTS);
  });
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startWorld, type World } from './support/world.ts';

describe('rows that cannot be written', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.stop());

  test('are written later, by an activity that waits, and nothing is undone meanwhile', async () => {
    const { orderId } = await world.orderWaitingForPayment();
    await world.database.query('ALTER TABLE order_timeline RENAME TO order_timeline_away');
    try {
      const [session] = await world.stripe.sessions(orderId);
      await world.stripe.pay(session?.id ?? '');
      // The attempts within the workflow task are over; now the activity tries.
      await world.until(async () => {
        const { raw } = await world.client.workflow.getHandle(orderId).describe();
        expect(raw.pendingActivities?.map(({ activityType }) => activityType?.name)).toEqual(['recordTimelineEntry']);
      });
    } finally {
      await world.database.query('ALTER TABLE order_timeline_away RENAME TO order_timeline');
    }
    await world.untilStatus(orderId, 'FINISHED');
    expect((await world.stripe.ledger(orderId)).refunds).toEqual([]);
  });
});

import { expect, test } from 'vitest';
import type { OrderRecord } from '../database/orders.ts';
import type { RefundOutcome } from './order-workflow-client.ts';
import { refundOrder } from './refund-order.ts';
import { fakeDependencies, orderRecord } from './testing/fakes.ts';

const { orderId } = orderRecord();
const REQUEST = { restock: true, reason: 'Sorry.', operator: 'kim' };
const paid = orderRecord({ status: 'PAID' });
const finished = orderRecord({ status: 'FINISHED' });
const refunded = orderRecord({ status: 'REFUNDED' });

/** Each time that its workflow is asked for a refund, the order stands as the next of `answers` says. */
function start(before: OrderRecord, ...answers: readonly { outcome: RefundOutcome; after: OrderRecord }[]) {
  const rest = [...answers];
  const fakes = fakeDependencies({
    orders: [before],
    refund: async () => {
      const next = rest.shift() ?? { outcome: { outcome: 'closed' } as const, after: before };
      fakes.orders.set(orderId, next.after);
      return next.outcome;
    },
  });
  return fakes;
}

test.each([paid, finished])('refunds an order that is $status', async (order) => {
  const outcome = { outcome: 'ended', result: { outcome: 'refunded' } } as const;
  const { dependencies, asked } = start(order, { outcome, after: refunded });
  expect(await refundOrder(dependencies, orderId, REQUEST)).toEqual({ order: refunded, outcome: 'refunded' });
  expect(asked).toEqual([{ refund: orderId, status: order.status, ...REQUEST }]);
});

test('changes nothing of an order that was refunded before', async () => {
  const { dependencies, asked } = start(refunded);
  expect(await refundOrder(dependencies, orderId, REQUEST)).toEqual({ order: refunded, outcome: 'refundedBefore' });
  expect(asked).toEqual([]);
});

test('tells that a refund is under way', async () => {
  const { dependencies } = start(finished, { outcome: { outcome: 'underWay' }, after: finished });
  expect(await refundOrder(dependencies, orderId, REQUEST)).toEqual({ order: finished, outcome: 'underWay' });
});

test('asks again, as the order stands then, if it finished just while it was asked', async () => {
  const { dependencies, asked } = start(
    paid,
    { outcome: { outcome: 'closed' }, after: finished },
    { outcome: { outcome: 'ended', result: { outcome: 'refunded' } }, after: refunded },
  );
  expect(await refundOrder(dependencies, orderId, REQUEST)).toMatchObject({ outcome: 'refunded' });
  expect(asked).toMatchObject([{ status: 'PAID' }, { status: 'FINISHED' }]);
});

test('is content if the order was refunded just while it was asked', async () => {
  const { dependencies } = start(paid, { outcome: { outcome: 'closed' }, after: refunded });
  expect(await refundOrder(dependencies, orderId, REQUEST)).toEqual({ order: refunded, outcome: 'refunded' });
});

test.each([
  [{ outcome: 'disputed' }, 'until the bank has decided'],
  [{ outcome: 'shipped', trackingNumber: 'TRK-1' }, 'TRK-1'],
  [{ outcome: 'notRefundable', status: 'CANCELLED' }, 'is CANCELLED'],
] as const)('says why nothing was refunded: %j', async (result, why) => {
  const { dependencies } = start(paid, { outcome: { outcome: 'ended', result }, after: paid });
  await expect(refundOrder(dependencies, orderId, REQUEST)).rejects.toMatchObject({
    kind: 'notRefundable',
    message: expect.stringContaining(why),
  });
});

test.each(['PENDING', 'WAITING_FOR_PAYMENT', 'CANCELLED', 'EXPIRED'] as const)(
  'refuses an order that is %s',
  async (status) => {
    const { dependencies, asked } = start(orderRecord({ status }));
    await expect(refundOrder(dependencies, orderId, REQUEST)).rejects.toMatchObject({
      kind: 'notRefundable',
      data: { order_id: orderId, status },
    });
    expect(asked).toEqual([]);
  },
);

test('gives up on an order that has lost its workflow', async () => {
  const { dependencies } = start(paid);
  await expect(refundOrder(dependencies, orderId, REQUEST)).rejects.toMatchObject({
    kind: 'noWorkflow',
    data: { status: 'PAID' },
  });
});

test('knows no order that there is not', async () => {
  const { dependencies } = start(paid);
  await expect(refundOrder(dependencies, 'f'.repeat(24), REQUEST)).rejects.toMatchObject({
    kind: 'noSuchOrder',
    message: `There is no order ${'f'.repeat(24)}`,
  });
});

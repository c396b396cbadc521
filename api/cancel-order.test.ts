import { describe, expect, test } from 'vitest';
import type { OrderRecord } from '../database/orders.ts';
import { cancelOrder } from './cancel-order.ts';
import { fakeDependencies, type FakeAnswers, orderRecord, timelineEntry } from './testing/fakes.ts';

const { orderId, customerId } = orderRecord();
const CUSTOMER = { by: 'customer', customerId } as const;
const OPERATOR = { by: 'operator', reason: 'We are closed.', operator: 'kim' } as const;

/** @param after how the order stands once its workflow was asked */
function start(before: OrderRecord, cancel: FakeAnswers['cancel'], after = before) {
  const fakes = fakeDependencies({
    orders: [before],
    cancel: async (id) => {
      fakes.orders.set(id, after);
      return (await cancel?.(id)) ?? { outcome: 'closed' };
    },
  });
  return fakes;
}

const waiting = orderRecord({ status: 'WAITING_FOR_PAYMENT' });
const cancelled = orderRecord({ status: 'CANCELLED' });

function finished(status: 'FINISHED' | 'REFUNDED') {
  const timeline = [timelineEntry({ status: 'FINISHED', event: 'order.finished' })];
  return orderRecord({ status, timeline });
}

test.each([
  [CUSTOMER, { reason: 'You cancelled this order.' }],
  [OPERATOR, { reason: 'We are closed.', operator: 'kim' }],
])('the timeline tells who cancelled, in words for the customer: %j', async (actor, request) => {
  const { dependencies, asked } = start(
    waiting,
    async () => ({ outcome: 'ended', result: { status: 'CANCELLED' } }),
    cancelled,
  );
  expect(await cancelOrder(dependencies, orderId, actor)).toEqual({ order: cancelled, ended: true });
  expect(asked).toEqual([{ cancel: orderId, ...request }]);
});

describe.each([CUSTOMER, OPERATOR])('a cancel by the $by', (actor) => {
  test('tells that the order is still ending', async () => {
    const { dependencies } = start(waiting, async () => ({ outcome: 'underWay' }));
    expect(await cancelOrder(dependencies, orderId, actor)).toEqual({ order: waiting, ended: false });
  });

  test.each(['CANCELLED', 'EXPIRED', 'REFUNDED'] as const)('changes nothing of an order that is %s', async (status) => {
    const { dependencies, asked } = start(orderRecord({ status }), undefined);
    expect(await cancelOrder(dependencies, orderId, actor)).toMatchObject({ ended: true, order: { status } });
    expect(asked).toEqual([]);
  });

  test('says why the workflow refuses', async () => {
    const paid = orderRecord({ status: 'PAID' });
    const { dependencies } = start(paid, async () => ({ outcome: 'refused', why: 'It is being shipped' }));
    await expect(cancelOrder(dependencies, orderId, actor)).rejects.toMatchObject({
      kind: 'notCancellable',
      errorCode: 2001,
      message: 'It is being shipped',
      data: { order_id: orderId, status: 'PAID' },
      traceId: paid.traceId,
    });
  });

  test.each(['FINISHED', 'REFUNDED'] as const)('refuses an order whose goods have left, now %s', async (status) => {
    const { dependencies, asked } = start(finished(status), undefined);
    await expect(cancelOrder(dependencies, orderId, actor)).rejects.toMatchObject({ kind: 'notCancellable' });
    expect(asked).toEqual([]);
  });

  test('believes the row if the workflow ended meanwhile', async () => {
    const { dependencies } = start(waiting, undefined, finished('FINISHED'));
    await expect(cancelOrder(dependencies, orderId, actor)).rejects.toMatchObject({ kind: 'notCancellable' });
  });

  test('tells an order that has lost its workflow from one that could not be asked', async () => {
    const { dependencies } = start(waiting, undefined);
    await expect(cancelOrder(dependencies, orderId, actor)).rejects.toMatchObject({
      kind: 'noWorkflow',
      errorCode: 5001,
      statusCode: 503,
      data: { status: 'WAITING_FOR_PAYMENT' },
    });
  });

  test.each(['f'.repeat(24), 'x'])('knows no order %s', async (id) => {
    const { dependencies } = start(waiting, undefined);
    await expect(cancelOrder(dependencies, id, actor)).rejects.toMatchObject({ kind: 'noSuchOrder' });
  });
});

test("a customer can't reach another customer's order", async () => {
  const { dependencies, asked } = start(waiting, undefined);
  const asOther = { by: 'customer', customerId: 'customer-2' } as const;
  await expect(cancelOrder(dependencies, orderId, asOther)).rejects.toMatchObject({ kind: 'noSuchOrder' });
  expect(asked).toEqual([]);
});

import { expect, test } from 'vitest';
import { orderStatuses } from '../domain/order-status.ts';
import { releaseOrder } from './release-order.ts';
import { fakeDependencies, type FakeAnswers, orderRecord } from './testing/fakes.ts';

const paid = orderRecord({ status: 'PAID' });
const { orderId } = paid;

function start(release?: FakeAnswers['release'], after = paid) {
  const fakes = fakeDependencies({
    orders: [paid],
    release: async (id) => {
      fakes.orders.set(id, after);
      return (await release?.(id)) ?? { outcome: 'closed' };
    },
  });
  return fakes;
}

test.each([{ outcome: 'ended', result: undefined }, { outcome: 'underWay' }] as const)(
  'releases a paid order: %j',
  async (outcome) => {
    const { dependencies, asked } = start(async () => outcome);
    expect(await releaseOrder(dependencies, orderId, 'kim')).toEqual(paid);
    expect(asked).toEqual([{ release: orderId, operator: 'kim' }]);
  },
);

test.each(orderStatuses.filter((status) => status !== 'PAID'))('refuses an order that is %s', async (status) => {
  const { dependencies, asked } = fakeDependencies({ orders: [orderRecord({ status })] });
  await expect(releaseOrder(dependencies, orderId, 'kim')).rejects.toMatchObject({
    kind: 'notReleasable',
    errorCode: 2005,
    statusCode: 409,
    message: expect.stringContaining(`is ${status}`),
    data: { order_id: orderId, status },
  });
  expect(asked).toEqual([]);
});

test('says why the workflow refuses', async () => {
  const { dependencies } = start(async () => ({ outcome: 'refused', why: 'It is being refunded' }));
  await expect(releaseOrder(dependencies, orderId, 'kim')).rejects.toMatchObject({
    kind: 'notReleasable',
    message: 'It is being refunded',
  });
});

test('says how the order ended if it did just now', async () => {
  const { dependencies } = start(undefined, orderRecord({ status: 'FINISHED' }));
  await expect(releaseOrder(dependencies, orderId, 'kim')).rejects.toMatchObject({
    kind: 'notReleasable',
    message: expect.stringContaining('is FINISHED'),
  });
});

test('tells an order that has lost its workflow', async () => {
  const { dependencies } = start();
  await expect(releaseOrder(dependencies, orderId, 'kim')).rejects.toMatchObject({ kind: 'noWorkflow' });
});

test('knows no order that there is not', async () => {
  const { dependencies } = start();
  await expect(releaseOrder(dependencies, 'x', 'kim')).rejects.toMatchObject({ kind: 'noSuchOrder' });
});

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startApi } from '../../testing/api.ts';
import { orderRecord } from '../../testing/fakes.ts';

const order = orderRecord({ status: 'WAITING_FOR_PAYMENT' });
const url = `/payment/return?customer-id=${order.customerId}&order-id=${order.orderId}`;

describe('a customer who is back from Stripe', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('is told to the order three seconds later, since the webhook mostly comes before', async () => {
    const { api, returned } = await startApi({ orders: [order] });
    await api.inject({ url });
    await vi.advanceTimersByTimeAsync(2_900);
    expect(returned).toEqual([]);
    await vi.advanceTimersByTimeAsync(200);
    expect(returned).toEqual([order.orderId]);
  });

  test('is not told to an order that was paid meanwhile', async () => {
    const { api, orders, returned } = await startApi({ orders: [order] });
    await api.inject({ url });
    orders.set(order.orderId, orderRecord({ status: 'PAID' }));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(returned).toEqual([]);
  });
});

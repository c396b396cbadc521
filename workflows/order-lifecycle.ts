import { allHandlersFinished, CancellationScope, condition } from '@temporalio/workflow';
import type { OrderLifecycleInput, OrderLifecycleResult } from '../contracts/messages.ts';
import { registerHandlers } from './order/handlers.ts';
import { Order } from './order/order.ts';
import { placeOrder } from './order/place-order.ts';
import { runOrder } from './order/run-order.ts';

/**
 * Takes one order from its creation to its end; the workflow id is the order id. It returns for every business outcome.
 * A bug fails the workflow task, which goes on once the bug is fixed.
 */
export async function orderLifecycle(input: OrderLifecycleInput): Promise<OrderLifecycleResult> {
  const order = new Order(input);
  registerHandlers(order);
  // A cancellation through Temporal is a message to the order like any other.
  return CancellationScope.nonCancellable(async () => {
    await placeOrder(order, input);
    if (order.status === undefined) {
      await condition(allHandlersFinished);
      return { status: 'REFUSED', create: order.created ?? null };
    }
    const { successUrl, cancelUrl, traceparent } = input;
    return { status: await runOrder(order, { successUrl, cancelUrl, traceparent }) };
  });
}

import { allHandlersFinished, CancellationScope, condition, log } from '@temporalio/workflow';
import type { OrderLifecycleResult, RecoverOrderInput } from '../contracts/messages.ts';
import { isTerminal } from '../domain/order-status.ts';
import { registerHandlers } from './order/handlers.ts';
import { Order } from './order/order.ts';
import { runOrder } from './order/run-order.ts';

/**
 * Continues an order from its row: one whose workflow is gone (terminated by hand, or lost with Temporal's data), or
 * one whose history has grown long. The workflow id is the order id, so it receives the order's signals and updates and
 * never runs beside another.
 *
 * An unpaid order is cancelled: its payment page is closed first, and a payment that has arrived is refunded. A paid
 * one is shipped, which is safe to repeat, unless a refund was decided on or Stripe says that the money has gone back.
 */
export async function recoverOrder(input: RecoverOrderInput): Promise<OrderLifecycleResult> {
  const order = new Order(input);
  registerHandlers(order);
  return CancellationScope.nonCancellable(async () => {
    const stored = await order.activities.orders.readOrder(order.orderId);
    if (stored === null) {
      order.created = { requestHash: '', traceId: '', refusal: { reason: 'tooLate' } };
      await condition(allHandlersFinished);
      return { status: 'REFUSED', create: null };
    }
    order.restore(stored);
    order.refundAttempts = input.refundAttempts ?? 0;
    if (!isTerminal(stored.status)) log.info('An order is recovered from its row', { status: stored.status });
    if (stored.status === 'WAITING_FOR_PAYMENT') {
      const reason = 'The shop lost track of the order, so it was cancelled.';
      order.inbox.push({ kind: 'cancel', request: { reason } });
    }
    return { status: await runOrder(order) };
  });
}

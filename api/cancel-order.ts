import type { OrderRecord } from '../database/orders.ts';
import { isTerminal } from '../domain/order-status.ts';
import { type Dependencies, readOrder } from './dependencies.ts';
import { ApiError } from './errors.ts';

/**
 * Cancels a customer's order, for the route and for the payment page.
 *
 * @returns whether the order has ended; false where it is being cancelled and ends by itself
 * @throws ApiError 2000 for an unknown order, 2001 where it can no longer be cancelled, 5001 where nobody answered
 */
export async function cancelOrder(dependencies: Dependencies, customerId: string, orderId: string): Promise<boolean> {
  const order = await readOrder(dependencies, customerId, orderId);
  if (isTerminal(order.status)) return endedWithoutGoods(order);

  const asked = await dependencies.lifecycle.cancel(orderId, {
    by: 'customer',
    reason: "The order was cancelled at the customer's wish.",
  });
  dependencies.logger.info({ orderId, outcome: asked.outcome }, 'Cancel answered');
  if (asked.outcome === 'underWay') return false;
  // The row is written before the workflow answers or ends, so it has the last word.
  const after = await readOrder(dependencies, customerId, orderId);
  if (isTerminal(after.status)) return endedWithoutGoods(after);
  if (asked.outcome === 'refused') throw notCancellable(after, asked.why);
  throw new ApiError('unavailable', `Order ${orderId} could not be cancelled for the moment; try again soon`, {
    data: { order_id: orderId },
    traceId: order.traceId,
  });
}

/**
 * An order that ended without its customer having the goods is as good as cancelled, so that a cancel that is sent
 * again is answered as the first one was.
 */
function endedWithoutGoods(order: OrderRecord): true {
  if (order.timeline.some(({ status }) => status === 'FINISHED')) {
    const what = order.status === 'REFUNDED' ? 'was finished, and refunded later' : 'is finished';
    throw notCancellable(order, `Order ${order.orderId} ${what}, and can no longer be cancelled`);
  }
  return true;
}

function notCancellable(order: OrderRecord, message: string): ApiError {
  return new ApiError('notCancellable', message, {
    data: { order_id: order.orderId, status: order.status },
    traceId: order.traceId,
  });
}

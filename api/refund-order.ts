import type { RefundRequest } from '../contracts/messages.ts';
import { isOrderId } from '../domain/order-id.ts';
import type { OrderRecord } from '../database/orders.ts';
import type { Dependencies } from './dependencies.ts';
import { ApiError } from './errors.ts';

/** A paid order may be finished just while it is asked; then its row is read once more. */
const MAX_ROUNDS = 3;

/**
 * Refunds an order for an operator, for the route and for the command line.
 *
 * @returns whether Stripe has accepted the refund; false where it is under way and goes on by itself
 * @throws ApiError 2000 for an unknown order, 2004 where nothing can be refunded, 5001 where nobody answered
 */
export async function refundOrder(
  { findOrder, lifecycle }: Pick<Dependencies, 'findOrder' | 'lifecycle'>,
  orderId: string,
  request: RefundRequest,
): Promise<boolean> {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const order = isOrderId(orderId) ? await findOrder(orderId) : undefined;
    if (order === undefined) throw new ApiError('noSuchOrder', 'There is no such order');
    if (order.status === 'REFUNDED') return true;
    if (order.status !== 'PAID' && order.status !== 'FINISHED') throw notRefundable(order, `is ${order.status}`);
    const asked = await lifecycle.refund(order, request);
    if (asked.outcome === 'underWay') return false;
    if (asked.outcome === 'ended') {
      if (asked.result.outcome === 'refunded') return true;
      if (asked.result.outcome === 'disputed') {
        throw notRefundable(order, 'is disputed at the bank, and Stripe refunds nothing before the bank has decided');
      }
      if (asked.result.outcome === 'shipped') {
        throw notRefundable(
          order,
          `was shipped before it could be called off (tracking number ${asked.result.trackingNumber}); ask again to refund it all the same`,
        );
      }
    }
  }
  throw new ApiError('unavailable', `Order ${orderId} could not be refunded for the moment; try again soon`, {
    data: { order_id: orderId },
  });
}

function notRefundable({ orderId, status, traceId }: OrderRecord, why: string): ApiError {
  const data = { order_id: orderId, status };
  return new ApiError('notRefundable', `Order ${orderId} ${why}, so nothing was refunded`, { data, traceId });
}

import type { OrderRecord } from '../database/orders.ts';
import type { RefundRequest } from '../domain/order-message.ts';
import { formatMoney } from '../domain/money.ts';
import { unreachable } from '../domain/must.ts';
import { leftToRefund } from '../domain/refund.ts';
import { type Dependencies, readAnyOrder } from './dependencies.ts';
import { ApiError } from './errors.ts';

/** A paid order may finish while it is being asked; then its row is read once more. */
const MAX_ROUNDS = 3;

export type RefundedOrder = {
  readonly order: OrderRecord;
  /**
   * `refunded`: Stripe has accepted it. `refundedBefore`: nothing was changed. `underWay`: no further request is
   * needed.
   */
  readonly outcome: 'refunded' | 'refundedBefore' | 'underWay';
};

/**
 * Refunds an order for an operator, for the route and the command line. A repeat changes nothing.
 *
 * @throws ApiError 2000 for an unknown order, 2004 if nothing can be refunded, 5001 if no workflow handles it
 */
export async function refundOrder(
  dependencies: Pick<Dependencies, 'findOrder' | 'logger'> & {
    readonly orderWorkflow: Pick<Dependencies['orderWorkflow'], 'refund'>;
  },
  orderId: string,
  request: RefundRequest & { readonly operator: string },
): Promise<RefundedOrder> {
  let order = await readAnyOrder(dependencies, orderId);
  if (order.status === 'REFUNDED' && order.keptAmountMinor > 0) {
    const { keptAmountMinor: amountMinor, currency } = order;
    throw notRefundable(
      order,
      `is REFUNDED, and ${formatMoney({ amountMinor, currency })} of it did not reach the customer. If they are still owed, name them as amount_minor`,
    );
  }
  if (order.status === 'REFUNDED') return { order, outcome: 'refundedBefore' };
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    if (order.status !== 'PAID' && order.status !== 'FINISHED') throw notRefundable(order, `is ${order.status}`);
    const asked = await dependencies.orderWorkflow.refund(order, request);
    dependencies.logger.info({ orderId, operator: request.operator, outcome: asked.outcome }, 'Refund answered');
    order = await readAnyOrder(dependencies, orderId);
    if (asked.outcome === 'underWay') return { order, outcome: 'underWay' };
    if (asked.outcome === 'ended') {
      const { result } = asked;
      switch (result.outcome) {
        case 'refunded':
          return { order, outcome: 'refunded' };
        case 'underWay':
          return { order, outcome: 'underWay' };
        case 'disputed':
          throw notRefundable(order, 'is disputed, and Stripe refunds nothing until the bank has decided');
        case 'shipped':
          throw notRefundable(
            order,
            `was shipped before it could be called off (tracking number ${result.trackingNumber}); repeat the request to refund it anyway`,
          );
        case 'notRefundable':
          throw notRefundable(order, `is ${result.status}`);
        default:
          return unreachable(result);
      }
    }
    // The order's workflow ended meanwhile: its row says how.
    if (order.status === 'REFUNDED') return { order, outcome: 'refunded' };
  }
  throw new ApiError('noWorkflow', `Order ${orderId} can't be refunded right now; try again soon`, {
    data: { order_id: orderId, status: order.status },
    traceId: order.traceId,
  });
}

/** @param why goes on from "Order …" */
export function notRefundable(order: OrderRecord, why: string, more: Readonly<Record<string, unknown>> = {}): ApiError {
  const { orderId, status, traceId } = order;
  const left = leftToRefund(order.keptAmountMinor, order.refunds);
  const data = { order_id: orderId, status, left_amount_minor: left, ...more };
  return new ApiError('notRefundable', `Order ${orderId} ${why}, so nothing was refunded`, { data, traceId });
}

import type { OrderRecord } from '../database/orders.ts';
import type { CancelRequest } from '../domain/order-message.ts';
import { isTerminal } from '../domain/order-status.ts';
import { type Dependencies, readAnyOrder, readOrder } from './dependencies.ts';
import { ApiError } from './errors.ts';

/** Who wants an order to end: its customer, who can only reach their own, or an operator, who gives a reason. */
export type CancelActor =
  | { readonly by: 'customer'; readonly customerId: string }
  | { readonly by: 'operator'; readonly reason: string; readonly operator: string };

/** The order as it stands now; `ended` is false while the cancel is still being carried out. */
export type CancelledOrder = { readonly order: OrderRecord; readonly ended: boolean };

/**
 * Cancels an order: its payment link is closed, its stock is given back, and a payment that arrives meanwhile is
 * refunded. For the routes, the payment page and the command line. A repeat gets the same answer.
 *
 * @throws ApiError 2000 for an unknown order, 2001 if it can no longer be cancelled, 5001 if no workflow handles it
 */
export async function cancelOrder(
  dependencies: Pick<Dependencies, 'findOrder' | 'logger'> & {
    readonly orderWorkflow: Pick<Dependencies['orderWorkflow'], 'cancel'>;
  },
  orderId: string,
  actor: CancelActor,
): Promise<CancelledOrder> {
  const read = () =>
    actor.by === 'customer' ? readOrder(dependencies, actor.customerId, orderId) : readAnyOrder(dependencies, orderId);
  const before = await read();
  if (isTerminal(before.status)) return endedWithoutGoods(before);

  const asked = await dependencies.orderWorkflow.cancel(orderId, requestOf(actor));
  dependencies.logger.info({ orderId, ...byOf(actor), outcome: asked.outcome }, 'Cancel answered');
  // The row is written before the workflow answers or ends, so it decides.
  const after = await read();
  if (asked.outcome === 'underWay') return { order: after, ended: false };
  if (isTerminal(after.status)) return endedWithoutGoods(after);
  // A workflow that continues in a new run completes its updates before the order has ended.
  if (asked.outcome === 'ended') return { order: after, ended: false };
  if (asked.outcome === 'refused') throw notCancellable(after, asked.why);
  throw new ApiError('noWorkflow', `Order ${orderId} can't be cancelled right now; try again soon`, {
    data: { order_id: orderId, status: after.status },
    traceId: after.traceId,
  });
}

function byOf(actor: CancelActor) {
  return actor.by === 'customer' ? { by: actor.by } : { by: actor.by, operator: actor.operator };
}

function requestOf(actor: CancelActor): CancelRequest {
  return actor.by === 'customer'
    ? { reason: 'You cancelled this order.' }
    : { reason: actor.reason, operator: actor.operator };
}

/**
 * An order that ended before any goods left counts as cancelled, so that a repeated cancel gets the same answer as the
 * first.
 */
function endedWithoutGoods(order: OrderRecord): CancelledOrder {
  if (order.timeline.some(({ status }) => status === 'FINISHED')) {
    const what = order.status === 'REFUNDED' ? 'was finished, and refunded later' : 'is finished';
    throw notCancellable(order, `Order ${order.orderId} ${what}, and can no longer be cancelled`);
  }
  return { order, ended: true };
}

function notCancellable(order: OrderRecord, message: string): ApiError {
  return new ApiError('notCancellable', message, {
    data: { order_id: order.orderId, status: order.status },
    traceId: order.traceId,
  });
}

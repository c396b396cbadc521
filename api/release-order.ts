import type { OrderRecord } from '../database/orders.ts';
import { type Dependencies, readAnyOrder } from './dependencies.ts';
import { ApiError } from './errors.ts';

/**
 * Has a paid order shipped although its payment is in doubt: an operator has looked at it. For the route and the
 * command line.
 *
 * @returns the order as it stands now; its shipment follows
 * @throws ApiError 2000 for an unknown order, 2005 if it does not wait to be shipped, 5001 if no workflow handles it
 */
export async function releaseOrder(
  dependencies: Pick<Dependencies, 'findOrder' | 'logger'> & {
    readonly orderWorkflow: Pick<Dependencies['orderWorkflow'], 'release'>;
  },
  orderId: string,
  operator: string,
): Promise<OrderRecord> {
  const before = await readAnyOrder(dependencies, orderId);
  if (before.status !== 'PAID') throw notReleasable(before);

  const asked = await dependencies.orderWorkflow.release(orderId, { operator });
  dependencies.logger.info({ orderId, operator, outcome: asked.outcome }, 'Release answered');
  const after = await readAnyOrder(dependencies, orderId);
  if (asked.outcome === 'ended' || asked.outcome === 'underWay') return after;
  if (asked.outcome === 'refused') throw notReleasable(after, asked.why);
  if (after.status !== 'PAID') throw notReleasable(after);
  throw new ApiError('noWorkflow', `Order ${orderId} can't be released right now; try again soon`, {
    data: { order_id: orderId, status: after.status },
    traceId: after.traceId,
  });
}

function notReleasable(
  { orderId, status, traceId }: OrderRecord,
  why = `Order ${orderId} is ${status}; only a PAID order that waits to be shipped can be released`,
): ApiError {
  return new ApiError('notReleasable', why, { data: { order_id: orderId, status }, traceId });
}

import type { z } from 'zod';
import type { Dependencies } from './dependencies.ts';
import { randomOrderId, refundIdOfKey } from './order-id.ts';
import { refundOrder, type RefundedOrder } from './refund-order.ts';
import { refundPart } from './refund-part.ts';
import type { refundOrderSchema } from './schemas.ts';

/**
 * Refunds what an operator asks for: all that is left of an order's payment, an amount, or pieces. For the route and for
 * the desk.
 *
 * @param key sent again with the same request, it brings the same refund
 * @throws ApiError as {@link refundOrder} and {@link refundPart} do
 */
export async function refund(
  dependencies: Pick<Dependencies, 'findOrder' | 'logger' | 'orderWorkflow'>,
  orderId: string,
  { restock = false, reason, amount_minor: amountMinor, items }: z.output<typeof refundOrderSchema>,
  { operator, key }: { readonly operator: string; readonly key: string | undefined },
): Promise<RefundedOrder> {
  const request = { restock, reason, operator };
  const refundId = key === undefined ? randomOrderId() : refundIdOfKey(orderId, key);
  if (amountMinor !== undefined) return refundPart(dependencies, orderId, refundId, { ...request, amountMinor });
  if (items === undefined) return refundOrder(dependencies, orderId, request);
  const pieces = items.map(({ item_id: itemId, quantity }) => ({ itemId, quantity }));
  return refundPart(dependencies, orderId, refundId, { ...request, items: pieces });
}

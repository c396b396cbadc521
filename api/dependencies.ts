import type { Logger } from '../platform/logger.ts';
import type { Metrics } from '../platform/metrics.ts';
import { isOrderId } from '../domain/order-id.ts';
import type { OrderRecord } from '../database/orders.ts';
import { noSuchOrder } from './errors.ts';
import type { OrderLifecycle } from './order-lifecycle.ts';

/** What the routes of the orders API work with. */
export type Dependencies = {
  /** Where customers reach the API, without a slash at its end. Links are made from it, never from a request. */
  readonly publicUrl: string;
  /** How long a customer may take to pay, in milliseconds. */
  readonly paymentWindowMs: number;
  /** How long fulfillment is asked again every few seconds, in milliseconds. */
  readonly fulfillmentRetryMs: number;
  readonly findOrder: (orderId: string) => Promise<OrderRecord | undefined>;
  readonly lifecycle: OrderLifecycle;
  readonly metrics: Metrics;
  readonly logger: Logger;
};

/**
 * Reads a customer's order.
 *
 * @throws ApiError 2000 where there is none; another customer's order is told apart from none by nothing
 */
export async function readOrder(
  { findOrder }: Pick<Dependencies, 'findOrder'>,
  customerId: string,
  orderId: string,
): Promise<OrderRecord> {
  const order = isOrderId(orderId) ? await findOrder(orderId) : undefined;
  if (order === undefined || order.customerId !== customerId) throw noSuchOrder(orderId);
  return order;
}

/** The address of an order's payment page, or of a page beside it. */
export function paymentPageUrl(publicUrl: string, order: { customerId: string; orderId: string }, path = '/payment') {
  const query = `customer-id=${encodeURIComponent(order.customerId)}&order-id=${encodeURIComponent(order.orderId)}`;
  return `${publicUrl}${path}?${query}`;
}

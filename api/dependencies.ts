import type { OrderPolicy } from '../contracts/messages.ts';
import type { LimitsConfig } from '../platform/limits-config.ts';
import type { Logger } from '../platform/logger.ts';
import type { Metrics } from '../platform/metrics.ts';
import { isOrderId } from '../domain/order-id.ts';
import type { FeedEvent } from '../database/events.ts';
import type { OrderFilter, OrderPage, OrderPosition } from '../database/order-pages.ts';
import type { OrderRecord } from '../database/orders.ts';
import type { Catalogue } from './catalogue.ts';
import { noSuchOrder } from './errors.ts';
import type { OrderWorkflowClient } from './order-workflow-client.ts';
import type { OrderLinks } from './sign-in/order-links.ts';

/** What the routes of the orders API depend on. */
export type Dependencies = {
  /** The API's public address, without a slash at its end. Links are made from it, never from a request. */
  readonly publicUrl: string;
  /** The shop's settings for its orders, fixed for an order when it begins. */
  readonly policy: OrderPolicy;
  /** Signs the links to payment pages, which then open only with a token. */
  readonly orderLinks?: OrderLinks | undefined;
  /** How much may be unpaid at once. */
  readonly limits?: LimitsConfig | undefined;
  /** Whether there is a shop page at `/`. */
  readonly shopPage?: boolean | undefined;
  /** Keys the ids of orders with an idempotency key, and the hashes of client addresses. */
  readonly orderIdSecret?: string | undefined;
  readonly findOrder: (orderId: string) => Promise<OrderRecord | undefined>;
  readonly listOrders: (
    filter: OrderFilter,
    page: { readonly limit: number; readonly after?: OrderPosition | undefined },
  ) => Promise<OrderPage>;
  readonly listEvents: (place: { readonly after: number; readonly limit: number }) => Promise<FeedEvent[]>;
  readonly catalogue: Catalogue;
  readonly orderWorkflow: OrderWorkflowClient;
  readonly metrics: Metrics;
  readonly logger: Logger;
};

/**
 * Reads a customer's order.
 *
 * @throws ApiError 2000 if there is none, or if it is another customer's
 */
export async function readOrder(
  { findOrder }: Pick<Dependencies, 'findOrder'>,
  customerId: string,
  orderId: string,
): Promise<OrderRecord> {
  const order = isOrderId(orderId) ? await findOrder(orderId) : undefined;
  if (order === undefined || order.customerId !== customerId) throw noSuchOrder(orderId, 'customer');
  return order;
}

/**
 * Reads an order for operators, whoever its customer is.
 *
 * @throws ApiError 2000 if there is none
 */
export async function readAnyOrder({ findOrder }: Pick<Dependencies, 'findOrder'>, orderId: string) {
  const order = isOrderId(orderId) ? await findOrder(orderId) : undefined;
  if (order === undefined) throw noSuchOrder(orderId, 'operator');
  return order;
}

/**
 * Returns the address of an order's payment page, or of a page below it.
 *
 * @param order includes the token that opens the page, if links are signed
 */
export function paymentPageUrl(
  publicUrl: string,
  order: { customerId: string; orderId: string; token?: string | undefined },
  path = '/payment',
) {
  const query = `customer-id=${encodeURIComponent(order.customerId)}&order-id=${encodeURIComponent(order.orderId)}`;
  const token = order.token === undefined ? '' : `&token=${encodeURIComponent(order.token)}`;
  return `${publicUrl}${path}?${query}${token}`;
}

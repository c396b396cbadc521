import type { OrderView } from './schemas.ts';
import type { OrderRecord } from '../database/orders.ts';

/**
 * Entries that only operators see, such as the course of a dispute: they would worry a customer, or tell a thief what
 * is known of the card. How a dispute delays or ends a refund is shown.
 */
const SHOP_EVENTS: ReadonlySet<string> = new Set([
  'payment.ignored',
  'payment.disputed',
  'payment.fraud_warning',
  'payment.in_review',
  'payment.reviewed',
  'fulfillment.held',
  'fulfillment.released',
  'refund.failed',
]);

/** Returns the entries of a timeline that the customer may see. */
export function timelineForCustomer({ timeline }: OrderRecord): OrderRecord['timeline'] {
  return timeline.filter(({ event }) => !SHOP_EVENTS.has(event) && !event.startsWith('dispute.'));
}

/**
 * Returns an order as the API answers it.
 *
 * @param timeline the entries to show; by default those that the customer may see
 */
export function toOrderView(order: OrderRecord, timeline = timelineForCustomer(order)): OrderView {
  return {
    order_id: order.orderId,
    customer_id: order.customerId,
    status: order.status,
    items: order.lines.map(({ itemId, name, quantity, unitAmountMinor }) => ({
      item_id: itemId,
      name,
      quantity,
      unit_amount_minor: unitAmountMinor,
    })),
    total_amount_minor: order.totalAmountMinor,
    currency: order.currency,
    payment_link: order.paymentLink,
    tracking_number: order.trackingNumber,
    created_at: order.createdAt.toISOString(),
    updated_at: order.updatedAt.toISOString(),
    timeline: timeline.map(({ at, status, event, detail }) => ({ at: at.toISOString(), status, event, detail })),
    refunds: refundsOfItsPayment(order).map(toRefundView),
  };
}

/** Refunds of a payment that the order did not need are told by its timeline alone. */
export function refundsOfItsPayment({ refunds, paymentIntentId }: OrderRecord): OrderRecord['refunds'] {
  return refunds.filter((refund) => refund.paymentIntentId === paymentIntentId);
}

/** Returns what a customer may see of a refund. */
export function toRefundView({ amountMinor, items, reason, state, createdAt }: OrderRecord['refunds'][number]) {
  return {
    amount_minor: amountMinor,
    items: items?.map(({ itemId, quantity }) => ({ item_id: itemId, quantity })) ?? null,
    reason,
    state,
    created_at: createdAt.toISOString(),
  };
}

import type { OrderView } from './schemas.ts';
import type { OrderRecord } from '../database/orders.ts';

/** Gives of an order what its customer may see. */
export function toOrderView(order: OrderRecord): OrderView {
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
    timeline: order.timeline.map(({ at, status, event, detail }) => ({ at: at.toISOString(), status, event, detail })),
  };
}

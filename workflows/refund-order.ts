import type { RefundOrderInput, RefundResult } from '../contracts/messages.ts';
import { connectActivities } from './activities.ts';
import { reportEvent } from './events.ts';
import { refundPayment } from './refund.ts';

/**
 * Refunds an order that is FINISHED, for an operator. The workflow id is `refund-<order id>`, so that asking twice is
 * asking once. REFUNDED means that Stripe has accepted the refund.
 */
export async function refundOrder({ orderId, restock, reason }: RefundOrderInput): Promise<RefundResult> {
  const activities = connectActivities();
  const order = await activities.orders.readEndedOrder.executeWithOptions({ summary: 'Read the order' }, [orderId]);
  if (order === null) throw new Error(`Order ${orderId} does not exist`);
  if (order.status === 'REFUNDED') return { outcome: 'refunded' };
  if (order.status !== 'FINISHED' || order.paymentIntentId === null) {
    return { outcome: 'notRefundable', status: order.status };
  }
  const refund = await refundPayment(activities, { orderId, paymentIntentId: order.paymentIntentId });
  if (refund === 'disputed') return { outcome: 'disputed' };
  if (restock) {
    await activities.stock.giveBackStock.executeWithOptions({ summary: 'Give the stock back' }, [
      { orderId, runId: order.runId },
    ]);
  }
  await activities.orders.recordEntryAfterTheEnd.executeWithOptions({ summary: 'order.refunded' }, [
    {
      orderId,
      source: 'refund',
      event: 'order.refunded',
      detail: `${reason} The payment was given back in full${restock ? ', and the goods are back in stock' : ''}.`,
      transition: { from: 'FINISHED', to: 'REFUNDED' },
    },
  ]);
  reportEvent(orderId, 'order.refunded', 'REFUNDED');
  return { outcome: 'refunded' };
}

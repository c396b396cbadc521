import { paymentToLookAt } from '../../domain/aftercare.ts';
import { must } from '../../domain/must.ts';
import type { StripeEvent } from '../../domain/stripe-event.ts';
import { tellAftercare } from '../shared/tell-aftercare.ts';
import type { Order } from './order.ts';

/**
 * Passes an event on to `paymentAftercare`: one about a payment other than the order's, or one that comes at its end.
 * So a refund that takes weeks never holds up the order.
 */
export async function handOverToAftercare(order: Order, event: StripeEvent): Promise<void> {
  const { orderId, policy } = order;
  const known = {
    orderId,
    status: must(order.status, 'the status of an order that gets events'),
    checkoutSessionId: order.checkoutSession?.sessionId ?? null,
    paymentIntentId: order.payment?.paymentIntentId ?? null,
    // Nothing is kept of an order whose money has gone back; for any other, aftercare has to check.
    keptAmountMinor: order.status === 'REFUNDED' || order.status === 'CANCELLED' ? 0 : 1,
  };
  const paymentIntentId = paymentToLookAt(known, event);
  if (paymentIntentId === undefined) return;
  await tellAftercare(paymentIntentId, { orderId, event, stripeRetryMaxMs: policy.stripeRetryMaxMs });
}

import { log } from '@temporalio/workflow';
import type { PaymentAftercareInput, PaymentAftercareResult } from '../contracts/messages.ts';
import { decideAftercare } from '../domain/aftercare.ts';
import { connectActivities } from './activities.ts';
import { carryOutAftercare } from './aftercare-steps.ts';

/**
 * Handles one event of Stripe for an order whose workflow has ended: gives a late payment back, and writes disputes and
 * failed refunds to the order's timeline. The workflow id is `stripe-<event id>`, so an event is handled once.
 */
export async function paymentAftercare({ orderId, event }: PaymentAftercareInput): Promise<PaymentAftercareResult> {
  const activities = connectActivities();
  const order = await activities.orders.readEndedOrder.executeWithOptions({ summary: 'Read the order' }, [orderId]);
  if (order === null) {
    log.warn('An event names an order that does not exist', { orderId, eventId: event.eventId });
    return { did: 'nothing' };
  }
  const step = decideAftercare({ orderId, ...order }, event);
  if (step.do === 'nothing') return { did: 'nothing' };
  await carryOutAftercare(activities, { orderId, status: order.status, eventId: event.eventId }, step);
  return { did: step.do };
}

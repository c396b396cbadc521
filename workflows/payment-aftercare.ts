import { log } from '@temporalio/workflow';
import type { PaymentAftercareInput, PaymentAftercareResult } from '../contracts/messages.ts';
import { decideAftercare } from '../domain/aftercare.ts';
import { connectActivities } from './activities.ts';
import { alarm, reportEvent } from './events.ts';
import { refundPayment } from './refund.ts';

/**
 * Handles one event of Stripe for an order whose workflow has ended: gives a late payment back, and writes disputes and
 * failed refunds to the order's timeline. The workflow id is `stripe-<event id>`, so an event is handled once.
 */
export async function paymentAftercare({ orderId, event }: PaymentAftercareInput): Promise<PaymentAftercareResult> {
  const activities = connectActivities();
  const order = await activities.orders.readEndedOrder(orderId);
  if (order === null) {
    log.warn('An event names an order that does not exist', { orderId, eventId: event.eventId });
    return { did: 'nothing' };
  }
  const step = decideAftercare({ orderId, ...order }, event);
  if (step.do === 'nothing') return { did: 'nothing' };
  if (step.do === 'refund') {
    log.warn('A payment came after the order had ended; it is given back', { orderId });
    await refundPayment(activities, { orderId, paymentIntentId: step.paymentIntentId });
  } else if (step.alarm) {
    alarm(step.note.detail, { orderId });
  }
  // One payment is returned once, however many events tell of it; all else is told once an event.
  const source = step.do === 'refund' ? `return:${step.paymentIntentId}` : event.eventId;
  await activities.orders.recordEntryAfterTheEnd({ orderId, source, ...step.note });
  reportEvent(orderId, step.note.event, order.status);
  return { did: step.do };
}

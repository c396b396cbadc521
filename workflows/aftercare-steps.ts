import { log, sleep } from '@temporalio/workflow';
import type { AftercareStep } from '../domain/aftercare.ts';
import type { OrderStatus } from '../domain/order-status.ts';
import type { Activities } from './activities.ts';
import { alarm, reportEvent } from './events.ts';
import { refundPaymentAfterDisputes } from './refund.ts';

/** Does what an event of Stripe asks for that came when the order had ended, and writes it to the order's timeline. */
export async function carryOutAftercare(
  activities: Activities,
  { orderId, status, eventId }: { readonly orderId: string; readonly status: OrderStatus; readonly eventId: string },
  step: Exclude<AftercareStep, { readonly do: 'nothing' }>,
): Promise<void> {
  if (step.do === 'refund') {
    log.warn('A payment came after the order had ended; it is given back', { orderId });
    const target = { orderId, paymentIntentId: step.paymentIntentId };
    await refundPaymentAfterDisputes(activities, target, (forMs) => sleep(forMs, { summary: 'The bank decides' }));
  } else if (step.alarm) {
    alarm(step.note.detail, { orderId });
  }
  // One payment is returned once, however many events tell of it; all else is told once an event.
  const source = step.do === 'refund' ? `return:${step.paymentIntentId}` : eventId;
  await activities.orders.recordEntryAfterTheEnd.executeWithOptions({ summary: step.note.event }, [
    { orderId, source, ...step.note },
  ]);
  reportEvent(orderId, step.note.event, status);
}

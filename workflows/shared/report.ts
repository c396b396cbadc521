import { log, metricMeter } from '@temporalio/workflow';
import type { OrderStatus } from '../../domain/order-status.ts';

/*
 * One function for each business event that feeds log and metrics. Neither writes anything in a replay, and workflow
 * metrics are exported with those of the SDK, so an event counts once however often its workflow is replayed.
 */

/** Reports an entry on the order's timeline, such as `order.paid` or `payment.failed`. */
export function reportEvent(orderId: string, event: string, status: OrderStatus): void {
  log.info(`Timeline: ${event}`, { orderId, event, status });
  metricMeter.createCounter('order_events', undefined, 'Entries of orders’ timelines, by event').add(1, { event });
}

/** Reports a request that was refused, so that there is no order. */
export function reportRefusal(reason: string): void {
  log.info(`Refused: ${reason}`, { reason });
  metricMeter.createCounter('order_refusals', undefined, 'Orders that were refused, by reason').add(1, { reason });
}

/** Reports a declined payment; the order keeps waiting. */
export function reportDecline(code: string): void {
  metricMeter.createCounter('payment_declines', undefined, 'Declined payments, by Stripe’s code').add(1, { code });
}

/** Reports how long a paid order took to finish, in milliseconds. */
export function reportFulfillmentTime(durationMs: number): void {
  metricMeter
    .createHistogram('order_paid_to_finished', 'float', 'seconds', 'From the payment to the end of fulfillment')
    .record(durationMs / 1000);
}

/** Reports something that only a person can fix. */
export function alarm(message: string, details: Readonly<Record<string, unknown>> = {}): void {
  log.error(`An operator is needed: ${message}`, details);
  metricMeter.createCounter('operator_alarms', undefined, 'Times that an operator is needed').add(1);
}

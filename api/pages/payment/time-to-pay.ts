import type { OrderRecord } from '../../../database/orders.ts';

/**
 * When an order's payment window ends. Its workflow's timer, which decides, began when WAITING_FOR_PAYMENT was written, and
 * runs for as long as that entry says.
 *
 * @returns undefined if the order does not wait for its payment, or was made before its entry said so
 */
export function paymentWindowEnd({ status, timeline }: Pick<OrderRecord, 'status' | 'timeline'>): Date | undefined {
  if (status !== 'WAITING_FOR_PAYMENT') return undefined;
  const requested = timeline.find(({ event }) => event === 'payment.requested');
  const windowMs = requested?.data.paymentWindowMs;
  return requested === undefined || windowMs === undefined ? undefined : new Date(requested.at.getTime() + windowMs);
}

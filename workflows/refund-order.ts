import { CancellationScope, continueAsNew, sleep } from '@temporalio/workflow';
import { TIMELINE_CONFLICT } from '../contracts/failures.ts';
import type { RefundOrderInput, RefundResult } from '../contracts/messages.ts';
import { REFUND_REQUESTED, REFUND_REQUESTED_AFTER_THE_END } from '../domain/order-message.ts';
import { describeRefund, isRefundBlocked, wayBackOf } from '../domain/charge.ts';
import { noteRefundDelayed, writtenBy } from './order/describe.ts';
import { connectActivities } from './shared/activities.ts';
import { failedWith } from './shared/failed-with.ts';
import { hasLongHistory, nothingKept, recordRefundAfterTheEnd, refundPayment } from './shared/refund.ts';

/**
 * Refunds an order that is FINISHED, for an operator. The workflow id is `refund-<order id>`, so that a repeated
 * request starts nothing new. REFUNDED means that Stripe has accepted the refund.
 */
export async function refundOrder(input: RefundOrderInput): Promise<RefundResult> {
  // A cancellation through Temporal does not interrupt it: half a refund helps nobody.
  return CancellationScope.nonCancellable(() => refund(input));
}

async function refund(input: RefundOrderInput): Promise<RefundResult> {
  const { orderId } = input;
  const { orders, payment, stock } = connectActivities();
  const order = await orders.readOrder.executeWithOptions({ summary: 'Read the order' }, [orderId]);
  if (order === null) throw new Error(`Order ${orderId} does not exist`);
  if (order.status === 'REFUNDED') return { outcome: 'refunded' };
  const { paymentIntentId } = order;
  if (order.status !== 'FINISHED' || paymentIntentId === null) {
    return { outcome: 'notRefundable', status: order.status };
  }
  // An earlier decision is carried out, whatever this request says.
  const request = order.requestedRefund ?? input.request;
  if (order.requestedRefund === null) {
    const charge = await payment.readCharge(paymentIntentId);
    if (isRefundBlocked(charge) && wayBackOf(charge) === undefined) return { outcome: 'disputed' };
    const detail = `${request.reason} The payment is being refunded.`;
    const recording = orders.recordTimelineEntry.executeWithOptions({ summary: REFUND_REQUESTED }, [
      {
        orderId,
        source: REFUND_REQUESTED_AFTER_THE_END,
        event: REFUND_REQUESTED,
        detail,
        data: { refund: request, ...writtenBy(request.operator) },
        onlyIn: 'FINISHED',
      },
    ]);
    try {
      await recording;
    } catch (error) {
      // The money has just gone back at Stripe, and the order is REFUNDED by now.
      if (failedWith(error, TIMELINE_CONFLICT)) return { outcome: 'refunded' };
      throw error;
    }
  }
  const { wayBack, charge } = await refundPayment(
    { payment },
    {
      orderId,
      paymentIntentId,
      longestPauseMs: input.stripeRetryMaxMs,
      attempts: input.refundAttempts,
      onRefused: async (refundAttempts, why) => {
        if (refundAttempts === 1) {
          const note = noteRefundDelayed(paymentIntentId, why);
          await orders.recordTimelineEntry.executeWithOptions({ summary: note.event }, [{ orderId, ...note }]);
        }
        if (hasLongHistory()) await continueAsNew<typeof refundOrder>({ ...input, refundAttempts });
        return 'later';
      },
      pause: (forMs) => sleep(forMs, { summary: 'Before Stripe is asked again' }),
    },
  );
  if (request.restock) {
    await stock.giveBackStock.executeWithOptions({ summary: 'Give the stock back' }, [{ orderId, runId: order.runId }]);
  }
  await recordRefundAfterTheEnd(
    { orders },
    orderId,
    describeRefund(request.reason, wayBack, request.restock),
    nothingKept(charge),
  );
  return { outcome: 'refunded' };
}

import { CancellationScope, continueAsNew, log } from '@temporalio/workflow';
import type { LostOrder } from '../activities/orders.ts';
import type { OrderLifecycleInput, OrderLifecycleResult, RecoverOrderInput } from '../contracts/messages.ts';
import { TIMELINE_CONFLICT } from '../contracts/failures.ts';
import { isTerminal } from '../domain/order-status.ts';
import { must } from '../domain/must.ts';
import { connectActivities } from './activities.ts';
import { failedWith } from './failed-with.ts';
import { fulfill } from './fulfillment-steps.ts';
import { drain, registerHandlers } from './order-lifecycle.ts';
import { Order } from './order.ts';
import { collectPayment } from './payment-steps.ts';

const LOST = 'The shop lost track of the order, so it was cancelled.';

/**
 * Takes up an order whose own workflow is gone: terminated by hand, or lost with Temporal's data. The workflow id is
 * the order id, as the lost one's was, so that it takes the order's signals and updates and never runs beside another.
 *
 * An unpaid order is cancelled; that its Checkout Session was closed comes first, and a payment that had come is given
 * back. A paid one is shipped, which is safe to do twice, unless Stripe says that its money was given back before.
 *
 * Where something else has written the timeline meanwhile it begins anew: each of the steps may be done again.
 */
export async function recoverOrder({ orderId, fulfillmentRetryMs }: RecoverOrderInput): Promise<OrderLifecycleResult> {
  // Temporal's Cancel does not break the recovery off; the order is read whole, and then takes the wish as its own.
  const lost = await CancellationScope.nonCancellable(() => connectActivities().orders.readLostOrder(orderId));
  if (lost === null) return { status: 'REFUSED', create: null };
  if (isTerminal(lost.status)) return { status: lost.status };
  log.warn('An order is taken up whose workflow is gone', { status: lost.status });
  const order = new Order(inputOf(orderId, lost, fulfillmentRetryMs), lost);
  registerHandlers(order);
  return CancellationScope.nonCancellable(async () => {
    try {
      await takeUp(order, lost);
    } catch (error) {
      if (!(error instanceof Error) || !failedWith(error.cause, TIMELINE_CONFLICT)) throw error;
      log.warn('An event of Stripe was written to the timeline first; the row is read anew');
      await continueAsNew<typeof recoverOrder>({ orderId, fulfillmentRetryMs });
    }
    await drain(order);
    return { status: must(order.status, 'the status of an order that was taken up') };
  });
}

async function takeUp(order: Order, { status, lines, checkoutSessionId, paymentIntentId }: LostOrder): Promise<void> {
  if (status === 'PENDING') {
    // A session that Stripe may have made was never shown to anybody.
    await order.end({ status: 'CANCELLED', detail: LOST });
  } else if (status === 'WAITING_FOR_PAYMENT') {
    const sessionId = must(checkoutSessionId, 'the Checkout Session of an order that waits for its payment');
    order.inbox.push({ kind: 'cancel', request: { by: 'operator', reason: LOST } });
    await collectPayment(order, lines, { sessionId, url: '', livemode: sessionId.startsWith('cs_live_') });
  } else {
    const paid = must(paymentIntentId, 'the payment of an order that is paid');
    if (await order.activities.payment.isRefunded(paid)) await order.refund('The payment was given back in full.');
    else await fulfill(order, lines);
  }
}

/** What the order's own workflow began with, as far as it still matters. */
function inputOf(orderId: string, lost: LostOrder, fulfillmentRetryMs: number): OrderLifecycleInput {
  return {
    orderId,
    customerId: lost.customerId,
    lines: lost.lines.map(({ itemId, quantity }) => ({ itemId, quantity })),
    requestHash: lost.requestHash,
    keyed: true,
    traceId: lost.traceId,
    traceparent: '',
    successUrl: '',
    cancelUrl: '',
    // It is closed at once; a delayed payment that is under way is asked for twice a day at least.
    paymentWindowMs: 3_600_000,
    fulfillmentRetryMs,
  };
}

import { CancellationScope, TemporalFailure } from '@temporalio/workflow';
import { STRIPE_REFUSED } from '../../contracts/failures.ts';
import type { OrderLifecycleInput } from '../../contracts/messages.ts';
import { CREATE_PAYMENT_FOR_MS } from '../shared/activities.ts';
import { failedWith } from '../shared/failed-with.ts';
import { retryUnderNewKeys } from '../shared/refund.ts';
import { alarm } from '../shared/report.ts';
import type { CancelRequest } from '../../domain/order-message.ts';
import { describePaymentRefusal, writtenBy } from './describe.ts';
import type { Order } from './order.ts';
import { settledBefore } from './settled-before.ts';

/** What Stripe gets of an order besides its lines, fixed when the order begins. */
export type PaymentRequest = Pick<OrderLifecycleInput, 'successUrl' | 'cancelUrl' | 'traceparent'>;

/**
 * PENDING → WAITING_FOR_PAYMENT, or CANCELLED if there is no payment link.
 *
 * @param request undefined for a recovered order: if a link was created for it, nobody has seen it
 */
export async function requestPayment(order: Order, request: PaymentRequest | undefined): Promise<void> {
  if (request === undefined) {
    await cancel(order, cancelRequest(order) ?? { reason: 'The shop lost track of the order, so it was cancelled.' });
    return;
  }
  const scope = new CancellationScope();
  const creating = scope.run(() => createCheckoutSession(order, request));
  // A cancel does not wait until Stripe is back. It only stops the activity, which still reports whether a link was
  // created.
  if (!(await settledBefore(creating, () => cancelRequest(order) !== undefined))) scope.cancel();
  try {
    const { sessionId, url, livemode } = await creating;
    order.checkoutSession = { sessionId, livemode };
    const changes = { checkoutSessionId: sessionId, paymentLink: url };
    const detail = 'The payment link is ready; the order waits for its payment.';
    const { paymentWindowMs } = order.policy;
    await order.timeline.transition('WAITING_FOR_PAYMENT', detail, changes, { paymentWindowMs });
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    await cancel(order, cancelRequest(order) ?? { reason: whyNoPayment(order, error) });
  }
}

async function createCheckoutSession({ orderId, lines, activities }: Order, request: PaymentRequest) {
  return retryUnderNewKeys(
    (generation, elapsedMs) =>
      activities.paymentRequest.createCheckoutSession.executeWithOptions(
        { scheduleToCloseTimeout: Math.max(CREATE_PAYMENT_FOR_MS - elapsedMs, 1_000) },
        [{ orderId, lines, ...request, generation }],
      ),
    { giveUpAfterMs: CREATE_PAYMENT_FOR_MS },
  );
}

async function cancel(order: Order, { reason, operator }: CancelRequest): Promise<void> {
  await order.giveBackStock();
  await order.timeline.transition('CANCELLED', reason, {}, writtenBy(operator));
}

/** Returns the request to cancel that waits in the inbox. */
function cancelRequest({ inbox }: Order): CancelRequest | undefined {
  return inbox.find((message) => message.kind === 'cancel')?.request;
}

function whyNoPayment({ orderId }: Order, error: TemporalFailure): string {
  alarm('no payment could be created, so the order is cancelled', { orderId, error });
  return failedWith(error, STRIPE_REFUSED)
    ? `The payment service refused the payment, so the order was cancelled: ${describePaymentRefusal(error)}.`
    : 'No payment could be created for hours, so the order was cancelled.';
}

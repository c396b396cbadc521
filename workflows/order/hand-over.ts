import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  getExternalWorkflowHandle,
  log,
  ParentClosePolicy,
  startChild,
  TemporalFailure,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import { aftercareWorkflowId, PAYMENT_AFTERCARE, type PaymentAftercareInput } from '../../contracts/messages.ts';
import { paymentToLookAt } from '../../domain/aftercare.ts';
import { must } from '../../domain/must.ts';
import type { StripeEvent } from '../../domain/stripe-event.ts';
import { stripeEventSignal } from '../shared/stripe-event-signal.ts';
import type { Order } from './order.ts';

/** A workflow that ends just as it is signalled has to be started again. */
const MAX_ROUNDS = 5;

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
  const workflowId = aftercareWorkflowId(paymentIntentId);
  const input: PaymentAftercareInput = { orderId, event, stripeRetryMaxMs: policy.stripeRetryMaxMs };
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    try {
      await startChild(PAYMENT_AFTERCARE, {
        workflowId,
        args: [input],
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        parentClosePolicy: ParentClosePolicy.ABANDON,
      });
      return;
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
    try {
      await getExternalWorkflowHandle(workflowId).signal(stripeEventSignal, event);
      return;
    } catch (error) {
      if (!(error instanceof TemporalFailure)) throw error;
      log.info('The aftercare of the payment has just ended; another one is started', { workflowId });
    }
  }
  throw new Error(`The event ${event.eventId} could not be handed over to ${workflowId}`);
}

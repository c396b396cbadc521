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
import { stripeEventSignal } from './stripe-event-signal.ts';

/** A workflow that ends just while it is told of something has to be started again. */
const MAX_ROUNDS = 5;

/** Brings an event to the `paymentAftercare` of its payment, which is started if it does not run. It goes on by itself. */
export async function tellAftercare(paymentIntentId: string, input: PaymentAftercareInput): Promise<void> {
  const workflowId = aftercareWorkflowId(paymentIntentId);
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
      await getExternalWorkflowHandle(workflowId).signal(stripeEventSignal, input.event);
      return;
    } catch (error) {
      if (!(error instanceof TemporalFailure)) throw error;
      log.info('The aftercare of the payment has just ended; another one is started', { workflowId });
    }
  }
  throw new Error(`The event ${input.event.eventId} could not be handed over to ${workflowId}`);
}

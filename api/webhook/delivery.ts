import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import {
  aftercareWorkflowId,
  PAYMENT_AFTERCARE,
  type PaymentAftercareInput,
  STRIPE_EVENT_SIGNAL,
  type TaskQueues,
} from '../../contracts/messages.ts';
import type { OrderRecord } from '../../database/orders.ts';
import { paymentToLookAt } from '../../domain/aftercare.ts';
import type { StripeEvent } from '../../domain/stripe-event.ts';

/** Stripe waits some seconds for the answer and then sends the event again, so waiting longer is pointless. */
const DELIVERY_TIMEOUT_MS = 5_000;

export type DeliveryOutcome =
  | 'delivered'
  /** The order has ended, and `paymentAftercare` handles the event. */
  | 'aftercare'
  /** The order has ended, and the event changes nothing. */
  | 'settled'
  /** Not one of our orders. */
  | 'unknownOrder';

type Options = {
  readonly client: Client;
  readonly taskQueues: TaskQueues;
  readonly findOrder: (orderId: string) => Promise<OrderRecord | undefined>;
  /** The longest pause before Stripe is asked again about a refund that it refuses. */
  readonly stripeRetryMaxMs: number;
};

/**
 * Delivers Stripe's events to the workflow that handles the payment: the order's own while it runs, `paymentAftercare`
 * after its end. A repeated event does no harm: an order drops it by its id, and aftercare decides from Stripe's
 * current state.
 */
export function createEventDelivery({ client, taskQueues, findOrder, stripeRetryMaxMs }: Options) {
  /** @returns false if the order has no running workflow */
  async function signalOrder(orderId: string, event: StripeEvent): Promise<boolean> {
    try {
      await client.withDeadline(Date.now() + DELIVERY_TIMEOUT_MS, () =>
        client.workflow.getHandle(orderId).signal(STRIPE_EVENT_SIGNAL, event),
      );
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  /**
   * Events of one payment go to one workflow, one after the other. It may be about to end, so start and signal are one
   * step; a workflow that this starts has the event in its input too, and handles it once.
   */
  async function signalAftercare(paymentIntentId: string, input: PaymentAftercareInput): Promise<void> {
    await client.withDeadline(Date.now() + DELIVERY_TIMEOUT_MS, () =>
      client.workflow.signalWithStart<(input: PaymentAftercareInput) => Promise<unknown>, [StripeEvent]>(
        PAYMENT_AFTERCARE,
        {
          workflowId: aftercareWorkflowId(paymentIntentId),
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          taskQueue: taskQueues.orders,
          args: [input],
          signal: STRIPE_EVENT_SIGNAL,
          signalArgs: [input.event],
          staticSummary: `Payment ${paymentIntentId} after the end of order ${input.orderId}`,
        },
      ),
    );
  }

  /** @throws if Temporal or PostgreSQL is down, so that Stripe sends the event again */
  return async (orderId: string, event: StripeEvent): Promise<DeliveryOutcome> => {
    if (await signalOrder(orderId, event)) return 'delivered';

    const order = await findOrder(orderId);
    if (order === undefined) return 'unknownOrder';
    const paymentIntentId = paymentToLookAt(order, event);
    if (paymentIntentId === undefined) return 'settled';
    await signalAftercare(paymentIntentId, { orderId, event, stripeRetryMaxMs });
    return 'aftercare';
  };
}

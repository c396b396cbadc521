import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import {
  aftercareWorkflowId,
  PAYMENT_AFTERCARE,
  type PaymentAftercareInput,
  STRIPE_EVENT_SIGNAL,
  type StripeEvent,
  type TaskQueues,
} from '../../contracts/messages.ts';
import type { OrderRecord } from '../../database/orders.ts';
import { decideAftercare } from '../../domain/aftercare.ts';
import type { EventForOrder } from './stripe-event.ts';

/** Stripe waits some seconds for the answer and then sends the event again, so waiting longer helps nobody. */
const DELIVERY_TIMEOUT_MS = 5_000;

export type Delivery = {
  readonly outcome:
    | 'delivered'
    /** The order has ended, and `paymentAftercare` takes the event. */
    | 'aftercare'
    /** The order has ended, and the event says nothing that it does not know. */
    | 'settled'
    /** No order of ours. */
    | 'unknownOrder';
  readonly orderId: string | undefined;
};

type Options = {
  readonly client: Client;
  readonly taskQueues: TaskQueues;
  readonly findOrder: (orderId: string) => Promise<OrderRecord | undefined>;
  readonly findOrderIdByPaymentIntent: (paymentIntentId: string) => Promise<string | undefined>;
};

/**
 * Brings Stripe's events to the orders' workflows. An event that comes again does no harm: a workflow drops what it has
 * seen by its id, and aftercare runs once for each event.
 */
export function createEventDelivery({ client, taskQueues, findOrder, findOrderIdByPaymentIntent }: Options) {
  async function signal(orderId: string, event: StripeEvent): Promise<boolean> {
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

  async function startAftercare(input: PaymentAftercareInput): Promise<void> {
    try {
      await client.withDeadline(Date.now() + DELIVERY_TIMEOUT_MS, () =>
        client.workflow.start(PAYMENT_AFTERCARE, {
          workflowId: aftercareWorkflowId(input.event.eventId),
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          taskQueue: taskQueues.orders,
          args: [input],
          staticSummary: `${input.event.type} after the end of order ${input.orderId}`,
        }),
      );
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }

  /** @throws where Temporal or PostgreSQL is away; Stripe is to send the event again */
  return async ({ orderId: named, event }: EventForOrder): Promise<Delivery> => {
    const orderId = named ?? (await orderOfPayment(event.paymentIntentId));
    if (orderId === undefined) return { outcome: 'unknownOrder', orderId };
    if (await signal(orderId, event)) return { outcome: 'delivered', orderId };

    const order = await findOrder(orderId);
    if (order === undefined) return { outcome: 'unknownOrder', orderId };
    // The end of an unpaid order makes an event itself, as its session expires, and Stripe sends events again: neither
    // is worth a workflow.
    if (decideAftercare(order, event).do === 'nothing') return { outcome: 'settled', orderId };
    await startAftercare({ orderId, event });
    return { outcome: 'aftercare', orderId };
  };

  async function orderOfPayment(paymentIntentId: string | null): Promise<string | undefined> {
    return paymentIntentId === null ? undefined : findOrderIdByPaymentIntent(paymentIntentId);
  }
}

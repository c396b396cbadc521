import { ApplicationFailure, CancellationScope, condition, defineUpdate, setHandler } from '@temporalio/workflow';
import {
  CANCEL_UPDATE,
  type CancelResult,
  CREATE_UPDATE,
  type CreateResult,
  CUSTOMER_RETURNED_UPDATE,
  REFUND_UPDATE,
  type RefundResult,
  RELEASE_UPDATE,
} from '../../contracts/messages.ts';
import { must } from '../../domain/must.ts';
import type { CancelRequest, RefundRequest, ReleaseRequest } from '../../domain/order-message.ts';
import { reportDecline } from '../shared/report.ts';
import { stripeEventSignal } from '../shared/stripe-event-signal.ts';
import type { Order } from './order.ts';

const createUpdate = defineUpdate<CreateResult>(CREATE_UPDATE);
const cancelUpdate = defineUpdate<CancelResult, [CancelRequest]>(CANCEL_UPDATE);
const refundUpdate = defineUpdate<RefundResult, [RefundRequest]>(REFUND_UPDATE);
const releaseUpdate = defineUpdate<void, [ReleaseRequest?]>(RELEASE_UPDATE);
const customerReturnedUpdate = defineUpdate<void>(CUSTOMER_RETURNED_UPDATE);

/**
 * How many of the customer's returns are checked with Stripe: anybody with the link can come back any number of times.
 */
const MAX_RETURN_CHECKS = 3;

/** Handlers only push to the inbox. Call this before the workflow first waits. */
export function registerHandlers(order: Order): void {
  const seenEvents = new Set<string>();
  let returnChecks = 0;

  setHandler(createUpdate, async () => {
    await always(() => order.created !== undefined);
    return must(order.created, 'the result of the create');
  });
  setHandler(
    cancelUpdate,
    async (request) => {
      order.inbox.push({ kind: 'cancel', request });
      await always(() => order.ended);
      if (order.status === undefined) throw ApplicationFailure.nonRetryable(`Order ${order.orderId} was refused`);
      return { status: order.status };
    },
    { validator: (_request: CancelRequest) => refuseLateCancel(order) },
  );
  setHandler(
    refundUpdate,
    async (request) => {
      order.inbox.push({ kind: 'refund', request });
      await always(() => order.ended);
      if (order.status === 'REFUNDED') return { outcome: 'refunded' };
      return order.trackingNumber === undefined
        ? { outcome: 'underWay' }
        : { outcome: 'shipped', trackingNumber: order.trackingNumber };
    },
    { validator: (_request: RefundRequest) => refuseUnlessPaid(order, 'refunded') },
  );
  setHandler(releaseUpdate, (request = {}) => order.inbox.push({ kind: 'release', request }), {
    validator: (_request?: ReleaseRequest) => refuseUnlessHeld(order),
  });
  setHandler(
    customerReturnedUpdate,
    () => {
      returnChecks += 1;
      order.inbox.push({ kind: 'customerReturned' });
    },
    {
      validator: () => {
        if (order.status !== 'WAITING_FOR_PAYMENT')
          throw new Error(`Order ${order.orderId} is not waiting for its payment`);
        if (returnChecks >= MAX_RETURN_CHECKS)
          throw new Error(`Stripe was asked often enough about order ${order.orderId}`);
      },
    },
  );
  setHandler(stripeEventSignal, (event) => {
    // Stripe delivers at least once, in any order.
    if (seenEvents.has(event.eventId)) return;
    seenEvents.add(event.eventId);
    if (event.about === 'decline') reportDecline(event.code);
    order.inbox.push({ kind: 'stripeEvent', event });
  });
  // A cancellation through Temporal is an operator's request like any other: no step is interrupted.
  CancellationScope.current().cancelRequested.catch(() => {
    order.inbox.push({ kind: 'cancel', request: { reason: 'The shop cancelled the order.' } });
  });
}

/** Keeps waiting when the workflow is cancelled through Temporal, so that the caller of the update gets an answer. */
async function always(holds: () => boolean): Promise<void> {
  await CancellationScope.nonCancellable(() => condition(holds));
}

function refuseLateCancel(order: Order): void {
  if (order.fulfilling || order.ended) {
    throw new Error(`Order ${order.orderId} is ${order.status ?? 'refused'} and can no longer be cancelled`);
  }
}

/** Releasing an order before a doubt comes up would release a doubt that nobody has looked at. */
function refuseUnlessHeld(order: Order): void {
  refuseUnlessPaid(order, 'released');
  if (order.heldFor.length === 0) throw new Error(`The shipment of order ${order.orderId} is not held`);
}

/** Before the payment there is nothing to refund; after the order's end, `refundOrder` does it. */
function refuseUnlessPaid(order: Order, what: string): void {
  if (order.status !== 'PAID') {
    throw new Error(`Order ${order.orderId} is ${order.status ?? 'not created yet'} and can't be ${what} here`);
  }
}

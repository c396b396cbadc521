import { allHandlersFinished, condition, TemporalFailure } from '@temporalio/workflow';
import { must } from '../../domain/must.ts';
import { isTerminal, type OpenStatus, type OrderStatus } from '../../domain/order-status.ts';
import { collectPayment } from './collect-payment.ts';
import { deliver } from './deliver.ts';
import { handOverToAftercare } from './hand-over.ts';
import type { Order } from './order.ts';
import { type PaymentRequest, requestPayment } from './request-payment.ts';

/**
 * Takes an order from the status that it is in to its end, step by step, and returns the status in which it ended. The
 * status alone says what the next step is, so a recovered order goes on like any other.
 *
 * @param request what Stripe gets of the order; undefined for a recovered order
 */
export async function runOrder(order: Order, request?: PaymentRequest): Promise<OrderStatus> {
  /** Each step brings the order into another status. */
  const steps: Readonly<Record<OpenStatus, () => Promise<void>>> = {
    PENDING: () => requestPayment(order, request),
    WAITING_FOR_PAYMENT: () => collectPayment(order),
    PAID: () => deliver(order),
  };
  for (let status = statusOf(order); !isTerminal(status); status = statusOf(order)) {
    try {
      await steps[status]();
    } catch (error) {
      if (!(error instanceof TemporalFailure)) throw error;
      // The workflow does not fail: its task does, and goes on once the cause is fixed. What the order holds and what
      // it is owed is not known here, so nothing is undone.
      throw new Error(`Order ${order.orderId} is ${status} and a step failed for good`, { cause: error });
    }
    if (order.status === status) throw new Error(`Order ${order.orderId} is still ${status} after its step`);
  }
  await drain(order);
  return statusOf(order);
}

/** Handles what came in while the order ended; for a signal that comes later still, the server retries the task. */
async function drain(order: Order): Promise<void> {
  do {
    for (let message = order.inbox.poll(); message !== undefined; message = order.inbox.poll()) {
      if (message.kind === 'stripeEvent') await handOverToAftercare(order, message.event);
    }
    await condition(allHandlersFinished);
  } while (!order.inbox.isEmpty);
}

function statusOf({ status, orderId }: Order): OrderStatus {
  return must(status, `the status of order ${orderId}`);
}

import { CancellationScope, log, TemporalFailure } from '@temporalio/workflow';
import type { FulfillmentResult, RefundRequest } from '../contracts/messages.ts';
import type { OrderLine } from '../domain/order-lines.ts';
import { alarm } from './events.ts';
import type { Message } from './messages.ts';
import type { Order } from './order.ts';
import { WatchedStep } from './watched-step.ts';

/**
 * PAID → FINISHED; or REFUNDED where the order cannot be shipped, was cancelled just before, or an operator wants the
 * money given back and the shipment could be called off.
 */
export async function fulfill(order: Order, lines: readonly OrderLine[]): Promise<void> {
  const cancel = order.cancelRequest;
  if (cancel !== undefined) {
    await order.refund(`${cancel.reason} The payment was given back in full.`);
    return;
  }
  order.fulfilling = true;
  const { fulfillmentRetryMs } = order.input;
  const { fulfillmentAtFirst, fulfillmentLater } = order.activities;
  let outcome = await ship(order, lines, fulfillmentAtFirst(fulfillmentRetryMs));
  if (outcome === 'unreachable') {
    alarm('the order is paid and the fulfillment service does not take it');
    await order.journal.note('fulfillment.delayed', 'The shipment is delayed; the shop is looking after it.');
    outcome = await ship(order, lines, fulfillmentLater(fulfillmentRetryMs));
  }
  if (outcome === 'unreachable') throw new Error('Nothing ends the late attempts but their result');
  if ('wanted' in outcome) await callOffAndRefund(order, outcome.wanted);
  else await conclude(order, outcome);
}

type Shipping = FulfillmentResult | 'unreachable' | { readonly wanted: RefundRequest };

/**
 * Has the order shipped, and reads the inbox meanwhile. Where an operator wants a refund, the attempts are stopped; an
 * attempt that is under way still says how it ended.
 */
async function ship(
  order: Order,
  lines: readonly OrderLine[],
  service: ReturnType<Order['activities']['fulfillmentLater']>,
): Promise<Shipping> {
  const scope = new CancellationScope();
  const shipping = new WatchedStep(scope.run(() => service.fulfillOrder({ orderId: order.input.orderId, lines })));
  let wanted: RefundRequest | undefined;
  while (wanted === undefined && !(await shipping.settledBefore(() => !order.inbox.isEmpty))) {
    wanted = await receive(order, order.inbox.poll());
  }
  if (wanted !== undefined) scope.cancel();
  try {
    return await shipping.result;
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    return wanted === undefined ? 'unreachable' : { wanted };
  }
}

/** Gives the wish to refund, where the message is one; an operator's cancel is one too, once the order is paid. */
async function receive(order: Order, message: Message | undefined): Promise<RefundRequest | undefined> {
  switch (message?.kind) {
    case 'refund':
      return message.request;
    case 'cancel':
      return { restock: true, reason: message.request.reason };
    case 'stripeEvent':
      await order.settle(message.event);
      return undefined;
    default:
      return undefined;
  }
}

/** Refunds only what will never be shipped: the fulfillment service has the last word. */
async function callOffAndRefund(order: Order, { reason, restock }: RefundRequest): Promise<void> {
  const result = await order.activities.fulfillment.callOffFulfillment({ orderId: order.input.orderId });
  if (result.outcome === 'shipped') {
    log.warn('The order was shipped before it could be called off, so it is not refunded');
    await conclude(order, result);
    return;
  }
  await order.refund(`${reason} The shipment was called off and the payment given back in full.`, { restock });
}

async function conclude(order: Order, result: FulfillmentResult): Promise<void> {
  if (result.outcome === 'shipped') {
    const { trackingNumber } = result;
    order.trackingNumber = trackingNumber;
    const detail = `The order was shipped. Tracking number: ${trackingNumber}.`;
    await order.journal.transition('FINISHED', detail, { trackingNumber });
  } else {
    await order.refund(`The order cannot be delivered: ${result.reason}. The payment was given back in full.`);
  }
}

import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  setHandler,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type { CancelRequest, OrderLifecycleInput, OrderLifecycleResult, RefundRequest } from '../contracts/messages.ts';
import { must } from '../domain/must.ts';
import type { OrderLine } from '../domain/order-lines.ts';
import { alarm, reportDecline } from './events.ts';
import { fulfill } from './fulfillment-steps.ts';
import { cancelUpdate, createUpdate, customerReturnedUpdate, refundUpdate, stripeEventSignal } from './messages.ts';
import { Order } from './order.ts';
import { collectPayment, requestPayment } from './payment-steps.ts';
import { describeItems } from './words.ts';

/** An order that nobody can ask for again is not worth making once its customer has long gone. */
const UNKEYED_START_LIMIT_MS = 60_000;
/** A customer who comes back from Stripe is mostly a little faster than the webhook. */
const RETURN_CHECK_DELAY_MS = 5_000;
/** Returns that lead to a question to Stripe; anybody with the link can come back as often as they like. */
const MAX_RETURN_CHECKS = 3;

/**
 * Takes one order from its creation to its end; the workflow id is the order id. It returns for every end that the
 * business knows. A bug fails the workflow task, which goes on when the bug is mended.
 */
export async function orderLifecycle(input: OrderLifecycleInput): Promise<OrderLifecycleResult> {
  const order = new Order(input);
  registerHandlers(order);
  return CancellationScope.nonCancellable(async () => {
    await takeToItsEnd(order);
    await drain(order);
    return order.status === undefined ? { status: 'REFUSED', create: order.created ?? null } : { status: order.status };
  });
}

/** All that comes from outside only enters the inbox. To be called before the workflow first waits. */
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
      if (order.status === undefined) throw ApplicationFailure.nonRetryable(`Order ${order.input.orderId} was refused`);
      return { status: order.status };
    },
    { validator: (_request: CancelRequest) => refuseLateCancel(order) },
  );
  setHandler(
    refundUpdate,
    async (request) => {
      order.inbox.push({ kind: 'refund', request });
      await always(() => order.ended);
      return order.trackingNumber === undefined
        ? { outcome: 'refunded' }
        : { outcome: 'shipped', trackingNumber: order.trackingNumber };
    },
    { validator: (_request: RefundRequest) => refuseRefund(order) },
  );
  setHandler(stripeEventSignal, (event) => {
    // Stripe delivers at least once, in any order.
    if (seenEvents.has(event.eventId)) return;
    seenEvents.add(event.eventId);
    if (event.kind === 'declined') reportDecline(event.code);
    order.inbox.push({ kind: 'stripeEvent', event });
  });
  setHandler(
    customerReturnedUpdate,
    async () => {
      returnChecks += 1;
      const answered = await CancellationScope.nonCancellable(() =>
        condition(() => order.status !== 'WAITING_FOR_PAYMENT', RETURN_CHECK_DELAY_MS, {
          summary: 'The customer is back; the webhook should be here',
        }),
      );
      if (!answered) order.inbox.push({ kind: 'checkDue' });
    },
    {
      validator: () => {
        if (order.status !== 'WAITING_FOR_PAYMENT') throw new Error('The order does not wait for its payment');
        if (returnChecks >= MAX_RETURN_CHECKS) throw new Error('Stripe was asked often enough');
      },
    },
  );
  // Temporal's own Cancel is an operator's wish like any other, and nothing is torn in the middle.
  CancellationScope.current().cancelRequested.catch(() => {
    order.inbox.push({ kind: 'cancel', request: { by: 'operator', reason: 'The shop cancelled the order.' } });
  });
}

/** Waits on when the workflow is cancelled: Temporal's Cancel is a message like any other, and who asked gets an answer. */
async function always(holds: () => boolean): Promise<void> {
  await CancellationScope.nonCancellable(() => condition(holds));
}

function refuseLateCancel(order: Order): void {
  if (order.fulfilling || order.ended) {
    const { orderId } = order.input;
    throw new Error(`Order ${orderId} is ${order.status ?? 'refused'} and can no longer be cancelled`);
  }
}

/** Before it is paid there is nothing to refund, and after its end `refundOrder` does it. */
function refuseRefund(order: Order): void {
  if (order.status !== 'PAID') {
    throw new Error(`Order ${order.input.orderId} is ${order.status ?? 'not made yet'} and has nothing to refund here`);
  }
}

async function takeToItsEnd(order: Order): Promise<void> {
  try {
    const lines = await open(order);
    if (lines === undefined) return;
    const session = await requestPayment(order, lines);
    if (session === undefined) return;
    if (await collectPayment(order, lines, session)) await fulfill(order, lines);
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    alarm('a step failed for good, so what was done is undone', { error });
    await giveUp(order, error);
  }
}

/** Holds the stock and writes the order, which is PENDING then; gives undefined where it was refused. */
async function open(order: Order): Promise<readonly OrderLine[] | undefined> {
  const { orderId, customerId, requestHash, traceId, keyed, lines } = order.input;
  const { runId } = order;
  if (!keyed && Date.now() - workflowInfo().startTime.getTime() > UNKEYED_START_LIMIT_MS) {
    order.refuse({ reason: 'tooLate' });
    return undefined;
  }
  const { stock } = order.activities;
  order.giveBackStockLater();
  const hold = await stock.holdStock.executeWithOptions({ summary: 'Hold the stock' }, [{ orderId, runId, lines }]);
  if (!hold.held) {
    order.refuse(hold.refusal);
    return undefined;
  }
  const detail = `Ordered: ${describeItems(hold.lines)}. The stock is held; the payment link is being created.`;
  await order.journal.begin({ customerId, runId, requestHash, traceId, lines: hold.lines, detail });
  order.created = { requestHash, traceId, refusal: null };
  return hold.lines;
}

/** Undoes what was done and ends the order in the way that its status allows. */
async function giveUp(order: Order, cause: TemporalFailure): Promise<void> {
  try {
    await undo(order, cause);
  } catch (error) {
    // A workflow does not fail: its task does, and goes on when the cause is mended.
    throw new Error(`Order ${order.input.orderId} could not be given up`, { cause: error });
  }
}

async function undo(order: Order, cause: TemporalFailure): Promise<void> {
  switch (order.status) {
    case undefined:
      await order.compensate();
      order.refuse({ reason: 'tooLate' });
      break;
    case 'PENDING':
      await order.end({ status: 'CANCELLED', detail: 'The shop could not take the order. Nothing was charged.' });
      break;
    case 'PAID':
      await order.refund('The shop could not deliver the order. The payment was given back in full.');
      break;
    default:
      // Whether it was paid is not known here, so nothing may be given up: the workflow task fails until it is mended.
      throw new Error(`Order ${order.input.orderId} is ${order.status} and a step failed for good`, { cause });
  }
}

/** Handles what came in while the order ended; a signal that comes later still makes the server ask once more. */
export async function drain(order: Order): Promise<void> {
  do {
    for (let message = order.inbox.poll(); message !== undefined; message = order.inbox.poll()) {
      if (message.kind === 'stripeEvent') await order.settle(message.event);
    }
    await condition(allHandlersFinished);
  } while (!order.inbox.isEmpty);
}

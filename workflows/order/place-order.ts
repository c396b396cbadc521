import { TemporalFailure, workflowInfo } from '@temporalio/workflow';
import type { HoldStockResult, OrderLifecycleInput } from '../../contracts/messages.ts';
import { describeItems } from './describe.ts';
import type { Order } from './order.ts';

/**
 * Without an idempotency key, the answer can't be fetched again: once the client has timed out, nobody wants the order.
 */
const UNKEYED_CREATE_LIMIT_MS = 60_000;

/**
 * Holds the stock and writes the order as PENDING. If that is not possible, the order is refused and holds nothing.
 */
export async function placeOrder(order: Order, input: OrderLifecycleInput): Promise<void> {
  const { customerId, requestHash, traceId } = input;
  if (isTooLate(input)) {
    order.refuse({ reason: 'tooLate' }, input);
    return;
  }
  const hold = await holdStock(order, input);
  // The answer may come long after the client has gone: PostgreSQL was down, or no worker was running.
  if (hold === 'failed' || (hold.held && isTooLate(input))) {
    await order.giveBackStock();
    order.refuse({ reason: 'tooLate' }, input);
    return;
  }
  if (!hold.held) {
    order.refuse(hold.refusal, input);
    return;
  }
  const { runId } = order;
  order.lines = hold.lines;
  const detail = `Ordered: ${describeItems(hold.lines)}. The stock is held; the payment link is being created.`;
  await order.timeline.begin({ customerId, runId, requestHash, traceId, lines: hold.lines, detail });
  order.created = { requestHash, traceId, refusal: null };
}

/** Returns `failed` if it is unknown whether the stock is held; releasing it is safe either way. */
async function holdStock(order: Order, input: OrderLifecycleInput): Promise<HoldStockResult | 'failed'> {
  const { stock, stockFor } = order.activities;
  const { holdStock: hold } = input.keyed ? stock : stockFor(remainingMs());
  try {
    const { orderId, customerId, lines, limits } = input;
    return await hold.executeWithOptions({ summary: 'Hold the stock' }, [
      { orderId, runId: order.runId, customerId, lines, ...(limits && { limits }) },
    ]);
  } catch (error) {
    if (error instanceof TemporalFailure) return 'failed';
    throw error;
  }
}

/** With an idempotency key the client can repeat the request at any time, so it is never too late. */
function isTooLate({ keyed }: OrderLifecycleInput): boolean {
  return !keyed && remainingMs() <= 0;
}

function remainingMs(): number {
  return UNKEYED_CREATE_LIMIT_MS - (Date.now() - workflowInfo().startTime.getTime());
}

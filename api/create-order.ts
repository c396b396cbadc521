import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { CreateResult, OrderLifecycleInput } from '../contracts/messages.ts';
import { mergeLines, type RequestedLine } from '../domain/order-lines.ts';
import { annotateSpan } from '../platform/spans.ts';
import { currentTraceId, currentTraceparent } from '../platform/telemetry.ts';
import { type Dependencies, paymentPageUrl } from './dependencies.ts';
import { ApiError, isAway, refusalError, toApiError } from './errors.ts';
import { orderIdOfKey, randomOrderId, requestHash } from './order-id.ts';
import { orderLimits } from './order-limits.ts';

export type OrderRequest = {
  readonly customerId: string;
  /** Lines of one item become one line of the order. */
  readonly lines: readonly RequestedLine[];
  /** Sent again with the same request, it brings the same order. */
  readonly idempotencyKey: string | undefined;
  /** The client's address. */
  readonly ip: string;
};

export type CreatedOrder = {
  readonly customerId: string;
  readonly orderId: string;
  readonly traceId: string;
  /** Opens the order's payment page; undefined if links carry none. */
  readonly token: string | undefined;
};

/** What is known of an order that was created, by this request or an earlier one with the same key. */
type MadeOrder = Pick<CreateResult, 'requestHash' | 'traceId'>;

/**
 * Makes an order: deducts the stock of all lines, or of none. For the route and for the shop page.
 *
 * @throws ApiError 1000 or 3000 and on if the order is refused, 2002 if the key came before with another request, 2003
 *   if too much is unpaid, 5001 if the order is not confirmed yet
 */
export async function createOrder(
  dependencies: Dependencies,
  { customerId, lines: requested, idempotencyKey, ip }: OrderRequest,
): Promise<CreatedOrder> {
  const { orderIdSecret, publicUrl } = dependencies;
  const lines = mergeLines(requested);
  const isKeyed = idempotencyKey !== undefined;
  const orderId = isKeyed ? orderIdOfKey(customerId, idempotencyKey, orderIdSecret) : randomOrderId();
  const limits = orderLimits(dependencies.limits, { ip, secret: orderIdSecret });
  annotateSpan({ 'order.id': orderId, 'customer.id': customerId });
  return reported(dependencies, {
    orderId,
    customerId,
    lines,
    requestHash: requestHash(customerId, lines),
    keyed: isKeyed,
    traceId: currentTraceId(),
    traceparent: currentTraceparent(),
    successUrl: paymentPageUrl(publicUrl, { customerId, orderId }, '/payment/return'),
    cancelUrl: paymentPageUrl(publicUrl, { customerId, orderId }),
    policy: dependencies.policy,
    ...(limits !== undefined && { limits }),
  });
}

/** Creates the order, and counts and logs the result. */
async function reported(dependencies: Dependencies, input: OrderLifecycleInput): Promise<CreatedOrder> {
  const report = (result: string): void => {
    dependencies.metrics.createAnswered(result);
    dependencies.logger.info({ orderId: input.orderId, customerId: input.customerId, result }, 'Create answered');
  };
  try {
    const created = await startOrFind(dependencies, input);
    report('created');
    return created;
  } catch (error) {
    report(toApiError(error).kind);
    throw error;
  }
}

async function startOrFind(dependencies: Dependencies, input: OrderLifecycleInput): Promise<CreatedOrder> {
  // Temporal forgets an order some time after its end; the row remembers which request the key came with.
  const known = input.keyed ? await findMade(dependencies, input.orderId) : undefined;
  if (known !== undefined) return answer(dependencies, input, known);

  const result = await startOrder(dependencies, input);
  if (result.refusal === null) return answer(dependencies, input, result);
  if (result.refusal.reason === 'orderExists') {
    const made = await findMade(dependencies, input.orderId);
    if (made === undefined) throw unanswered(input.orderId, undefined);
    return answer(dependencies, input, made);
  }
  refuseOtherRequest(input, result);
  throw refusalError(result.refusal, result.traceId);
}

async function findMade({ findOrder }: Dependencies, orderId: string): Promise<MadeOrder | undefined> {
  try {
    return await findOrder(orderId);
  } catch (error) {
    if (isAway(error)) throw unanswered(orderId, error);
    throw error;
  }
}

async function startOrder({ orderWorkflow }: Dependencies, input: OrderLifecycleInput): Promise<CreateResult> {
  try {
    return await orderWorkflow.create(input);
  } catch (error) {
    if (isAway(error)) throw unanswered(input.orderId, error, input.keyed);
    const data = { order_id: input.orderId };
    if (error instanceof WorkflowExecutionAlreadyStartedError) {
      throw new ApiError(
        'internal',
        `Order ${input.orderId} was ended before it was created; send the request with another Idempotency-Key`,
        { data, cause: error },
      );
    }
    throw new ApiError('internal', `Something went wrong on our side while order ${input.orderId} was created`, {
      data,
      cause: error,
    });
  }
}

function unanswered(orderId: string, cause: unknown, keyed = true): ApiError {
  const fix = keyed
    ? 'Repeat the request with the same Idempotency-Key: the answer is this order, never a second one'
    : 'Read it by its id; with an Idempotency-Key the request could be repeated safely';
  return new ApiError('unavailable', `Order ${orderId} is not confirmed yet, and may exist. ${fix}`, {
    data: { order_id: orderId },
    cause,
  });
}

async function answer(
  { orderLinks }: Dependencies,
  input: OrderLifecycleInput,
  made: MadeOrder,
): Promise<CreatedOrder> {
  refuseOtherRequest(input, made);
  const { customerId, orderId } = input;
  return { customerId, orderId, traceId: made.traceId, token: await orderLinks?.sign(orderId) };
}

function refuseOtherRequest(input: OrderLifecycleInput, made: MadeOrder): void {
  if (made.requestHash === input.requestHash) return;
  throw new ApiError(
    'keyReused',
    'This Idempotency-Key was used before with a different request; repeat that request, or use a new key',
  );
}

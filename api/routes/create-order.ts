import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { CreateResult, OrderLifecycleInput } from '../../contracts/messages.ts';
import {
  createdOrderSchema,
  createOrderSchema,
  customerIdSchema,
  envelopeSchema,
  idempotencyKeySchema,
} from '../schemas.ts';
import { mergeLines } from '../../domain/order-lines.ts';
import { annotateSpan } from '../../platform/spans.ts';
import { currentTraceId, currentTraceparent } from '../../platform/telemetry.ts';
import { type Dependencies, paymentPageUrl } from '../dependencies.ts';
import { type Envelope, success } from '../envelope.ts';
import { ApiError, invalidRequest, isAway, refusalError, toApiError } from '../errors.ts';
import { orderIdOfKey, randomOrderId, requestHash } from '../order-id.ts';
import { orderLimits } from '../order-limits.ts';
import { errorResponses } from './error-responses.ts';

type CreatedOrder = z.output<typeof createdOrderSchema>;

/** What is known of an order that was made, by this request or by an earlier one under the same key. */
type MadeOrder = Pick<CreateResult, 'requestHash' | 'traceId'>;

export function createOrderRoute(dependencies: Dependencies): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'POST',
      url: '/api/customer/:customerID/create',
      schema: {
        operationId: 'createOrder',
        summary: 'Create an order',
        description:
          'Deducts the stock of all lines, or of none, and answers with the page on which the customer pays. ' +
          'With an Idempotency-Key the request can be sent again safely: it brings the same order.',
        tags: ['Orders'],
        params: z.object({ customerID: customerIdSchema }),
        headers: z.looseObject({ 'idempotency-key': idempotencyKeySchema }),
        body: createOrderSchema,
        response: {
          200: envelopeSchema(createdOrderSchema),
          ...errorResponses(400, 404, 409, 413, 415, 422, 429, 500, 503),
        },
      },
      handler: async (request) => {
        const { customerID: customerId } = request.params;
        if (request.body.customerID !== customerId) {
          throw invalidRequest([{ path: 'customerID', problem: 'must be the customerID of the path' }]);
        }
        const lines = mergeLines(request.body.items.map(({ itemID, quantity }) => ({ itemId: itemID, quantity })));
        const key = request.headers['idempotency-key'];
        const orderId = key === undefined ? randomOrderId() : orderIdOfKey(customerId, key, dependencies.orderIdSecret);
        const limits = orderLimits(dependencies.limits, { ip: request.ip, secret: dependencies.orderIdSecret });
        annotateSpan({ 'order.id': orderId, 'customer.id': customerId });
        return reported(dependencies, {
          orderId,
          customerId,
          lines,
          requestHash: requestHash(customerId, lines),
          keyed: key !== undefined,
          traceId: currentTraceId(),
          traceparent: currentTraceparent(),
          successUrl: paymentPageUrl(dependencies.publicUrl, { customerId, orderId }, '/payment/return'),
          cancelUrl: paymentPageUrl(dependencies.publicUrl, { customerId, orderId }),
          policy: dependencies.policy,
          ...(limits !== undefined && { limits }),
        });
      },
    });
  };
}

/** Creates the order, and counts and logs what came of it. */
async function reported(dependencies: Dependencies, input: OrderLifecycleInput): Promise<Envelope<CreatedOrder>> {
  const report = (result: string): void => {
    dependencies.metrics.createAnswered(result);
    dependencies.logger.info({ orderId: input.orderId, customerId: input.customerId, result }, 'Create answered');
  };
  try {
    const created = await createOrder(dependencies, input);
    report('created');
    return created;
  } catch (error) {
    report(toApiError(error).kind);
    throw error;
  }
}

async function createOrder(dependencies: Dependencies, input: OrderLifecycleInput): Promise<Envelope<CreatedOrder>> {
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
        `Order ${input.orderId} was ended before it was made; send the request with another Idempotency-Key`,
        { data, cause: error },
      );
    }
    throw new ApiError('internal', `Something went wrong on our side while order ${input.orderId} was made`, {
      data,
      cause: error,
    });
  }
}

function unanswered(orderId: string, cause: unknown, keyed = true): ApiError {
  const fix = keyed
    ? 'Send the request again with the same Idempotency-Key: it brings this order, never a second one'
    : 'Look for it under its id; with an Idempotency-Key the request can be sent again safely';
  return new ApiError('unavailable', `Order ${orderId} is not confirmed yet, and may exist. ${fix}`, {
    data: { order_id: orderId },
    cause,
  });
}

async function answer(
  { publicUrl, orderLinks }: Dependencies,
  input: OrderLifecycleInput,
  made: MadeOrder,
): Promise<Envelope<CreatedOrder>> {
  refuseOtherRequest(input, made);
  const { customerId, orderId } = input;
  const token = await orderLinks?.sign(orderId);
  return success(
    {
      customer_id: customerId,
      order_id: orderId,
      redirect_url: paymentPageUrl(publicUrl, { customerId, orderId, token }),
    },
    made.traceId,
  );
}

function refuseOtherRequest(input: OrderLifecycleInput, made: MadeOrder): void {
  if (made.requestHash === input.requestHash) return;
  throw new ApiError(
    'keyReused',
    'This Idempotency-Key was used before with a different request; repeat that request, or use a new key',
  );
}

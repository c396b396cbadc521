import {
  type Client,
  isGrpcDeadlineError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import {
  ApplicationFailure,
  defineSearchAttributeKey,
  SearchAttributeType,
  TypedSearchAttributes,
  type Workflow,
} from '@temporalio/common';
import {
  CANCEL_UPDATE,
  CANCEL_UPDATE_ID,
  type CancelResult,
  CREATE_UPDATE,
  CREATE_UPDATE_ID,
  type CreateResult,
  CUSTOMER_ID_ATTRIBUTE,
  CUSTOMER_RETURNED_UPDATE,
  ORDER_LIFECYCLE,
  ORDER_STATUS_ATTRIBUTE,
  type OrderLifecycleInput,
  type OrderLifecycleResult,
  partWorkflowId,
  REFUND_ORDER,
  REFUND_PART,
  REFUND_UPDATE,
  REFUND_UPDATE_ID,
  type RefundOrderInput,
  type RefundPartInput,
  type RefundPartResult,
  type RefundResult,
  refundWorkflowId,
  RELEASE_UPDATE,
  type TaskQueues,
} from '../contracts/messages.ts';
import type { OrderRecord } from '../database/orders.ts';
import type { CancelRequest, RefundRequest, ReleaseRequest } from '../domain/order-message.ts';
import type { PartRefundRequest } from '../domain/refund.ts';

/** How long a cancel, refund or release waits for its result before it answers that it is under way. */
const RESULT_WAIT_MS = 5_000;
/** Short, since the customer who comes back from Stripe is waiting for the page. */
const RETURN_WAIT_MS = 2_000;
/** Temporal refuses a summary whose payload, its JSON and about 30 bytes around it, has more than 400 bytes. */
const MAX_SUMMARY_BYTES = 350;

type Outcome<Result> =
  | { readonly outcome: 'ended'; readonly result: Result }
  /** The workflow has accepted the request and will carry it out. */
  | { readonly outcome: 'underWay' }
  /** No running workflow accepts it, or it ended before it could answer: the order's row says how. */
  | { readonly outcome: 'closed' };

/** The workflow refuses the request in the order's current state; `why` is a sentence without its full stop. */
type Refused = { readonly outcome: 'refused'; readonly why: string };

export type CancelOutcome = Outcome<CancelResult> | Refused;
export type RefundOutcome = Outcome<RefundResult>;
export type ReleaseOutcome = Outcome<void> | Refused;

/** What API and command line ask of an order's workflow. */
export type OrderWorkflowClient = ReturnType<typeof createOrderWorkflowClient>;

type Options = {
  readonly client: Client;
  readonly taskQueues: TaskQueues;
  /** How long a create waits for its answer. */
  readonly createTimeoutMs: number;
  /** The longest pause before Stripe is asked again about a refund that it refuses. */
  readonly stripeRetryMaxMs: number;
};

/** Creates the client through which API and command line start the workflows of orders and send them requests. */
export function createOrderWorkflowClient({ client, taskQueues, createTimeoutMs, stripeRetryMaxMs }: Options) {
  /** Returns the result of a create that was refused; null if there is an order, or the workflow returned no result. */
  async function refusedCreate(orderId: string, deadline: number): Promise<CreateResult | null> {
    const handle = client.workflow.getHandle<() => Promise<OrderLifecycleResult>>(orderId);
    try {
      const result = await client.withDeadline(deadline, () => handle.result());
      return 'create' in result ? result.create : null;
    } catch (error) {
      if (error instanceof WorkflowFailedError) return null;
      throw error;
    }
  }

  /** Sends an update and waits a while for its result. With an id, a repeat gets the result of the first one. */
  async function update<Result>(
    orderId: string,
    name: string,
    request: CancelRequest | RefundRequest | ReleaseRequest,
    updateId?: string,
  ): Promise<Outcome<Result>> {
    const deadline = Date.now() + RESULT_WAIT_MS;
    const started = await client.withDeadline(deadline, () =>
      client.workflow.getHandle(orderId).startUpdate<Result, [typeof request]>(name, {
        ...(updateId !== undefined && { updateId }),
        args: [request],
        // An update that is not accepted yet is not durable, so nobody may hear that it is under way.
        waitForStage: 'ACCEPTED',
      }),
    );
    return resultOrUnderWay(client.withDeadline(deadline, () => started.result()));
  }

  return {
    /**
     * Starts the order's workflow and waits for the order, in one durable round trip. A repeat returns the first
     * answer, also once the order has ended.
     *
     * @throws WorkflowUpdateRPCTimeoutOrCancelledError if the time runs out; the order may exist
     * @throws WorkflowExecutionAlreadyStartedError if a workflow with this id ended without an answer
     */
    async create(input: OrderLifecycleInput): Promise<CreateResult> {
      const startWorkflowOperation = new WithStartWorkflowOperation(ORDER_LIFECYCLE, {
        workflowId: input.orderId,
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        taskQueue: taskQueues.orders,
        args: [input],
        typedSearchAttributes: new TypedSearchAttributes([
          { key: defineSearchAttributeKey(ORDER_STATUS_ATTRIBUTE, SearchAttributeType.KEYWORD), value: 'PENDING' },
          {
            key: defineSearchAttributeKey(CUSTOMER_ID_ATTRIBUTE, SearchAttributeType.KEYWORD),
            value: input.customerId,
          },
        ]),
        staticSummary: summaryOf(input),
      });
      const deadline = Date.now() + createTimeoutMs;
      try {
        return await client.withDeadline(deadline, () =>
          client.workflow.executeUpdateWithStart<Workflow, CreateResult, []>(CREATE_UPDATE, {
            startWorkflowOperation,
            updateId: CREATE_UPDATE_ID,
          }),
        );
      } catch (error) {
        // Temporal may have lost the update, which is durable only once it is accepted, and run the workflow anyway.
        const create =
          error instanceof WorkflowExecutionAlreadyStartedError ? await refusedCreate(input.orderId, deadline) : null;
        if (create === null) throw error;
        return create;
      }
    },

    /**
     * Asks the order's workflow to cancel it.
     *
     * @throws WorkflowUpdateRPCTimeoutOrCancelledError if the workflow did not accept the request in time
     */
    async cancel(orderId: string, request: CancelRequest): Promise<CancelOutcome> {
      try {
        return await update<CancelResult>(orderId, CANCEL_UPDATE, request, CANCEL_UPDATE_ID);
      } catch (error) {
        return closedOrRefused(error);
      }
    },

    /**
     * Asks for a refund: the order's workflow while the order is being fulfilled, and a workflow of its own after that.
     * A repeat gets the result of the first one.
     *
     * @param order from its row; PAID, FINISHED or REFUNDED
     * @throws WorkflowUpdateRPCTimeoutOrCancelledError, or after the order's end a gRPC deadline error, if the request
     *   was not accepted in time
     * @throws WorkflowFailedError if the refund's workflow was terminated
     */
    async refund(order: Pick<OrderRecord, 'orderId' | 'status'>, request: RefundRequest): Promise<RefundOutcome> {
      const { orderId, status } = order;
      try {
        if (status === 'PAID') {
          return await update<RefundResult>(orderId, REFUND_UPDATE, request, REFUND_UPDATE_ID);
        }
        const deadline = Date.now() + RESULT_WAIT_MS;
        const refunding = await client.withDeadline(deadline, () =>
          client.workflow.start<(input: RefundOrderInput) => Promise<RefundResult>>(REFUND_ORDER, {
            workflowId: refundWorkflowId(orderId),
            workflowIdConflictPolicy: 'USE_EXISTING',
            taskQueue: taskQueues.orders,
            args: [{ orderId, request, stripeRetryMaxMs }],
            staticSummary: `Refund of order ${orderId}`,
          }),
        );
        return await resultOrUnderWay(client.withDeadline(deadline, () => refunding.result()));
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return { outcome: 'closed' };
        if (error instanceof WorkflowUpdateFailedError) return { outcome: 'closed' };
        throw error;
      }
    },

    /**
     * Asks for a refund of a part. Under the same refund id it finds the first one.
     *
     * @throws a gRPC error if Temporal is away
     */
    async refundPart(
      orderId: string,
      refundId: string,
      request: PartRefundRequest,
    ): Promise<Exclude<Outcome<RefundPartResult>, { readonly outcome: 'closed' }>> {
      const deadline = Date.now() + RESULT_WAIT_MS;
      const refunding = await client.withDeadline(deadline, () =>
        client.workflow.start<(input: RefundPartInput) => Promise<RefundPartResult>>(REFUND_PART, {
          workflowId: partWorkflowId(orderId, refundId),
          workflowIdConflictPolicy: 'USE_EXISTING',
          taskQueue: taskQueues.orders,
          args: [{ orderId, refundId, request, stripeRetryMaxMs }],
          staticSummary: `Refund of a part of order ${orderId}`,
        }),
      );
      return resultOrUnderWay(client.withDeadline(deadline, () => refunding.result()));
    },

    /**
     * Has a paid order shipped although its payment is in doubt. Each call is an update of its own: a doubt that comes
     * up after a release has to be released again.
     *
     * @throws WorkflowUpdateRPCTimeoutOrCancelledError if the workflow did not accept the request in time
     */
    async release(orderId: string, request: ReleaseRequest): Promise<ReleaseOutcome> {
      try {
        return await update<void>(orderId, RELEASE_UPDATE, request);
      } catch (error) {
        return closedOrRefused(error);
      }
    },

    /** Tells the order that its customer is back from Stripe, so that it need not rely on the webhook alone. */
    async customerReturned(orderId: string): Promise<void> {
      try {
        await client.withDeadline(Date.now() + RETURN_WAIT_MS, () =>
          client.workflow.getHandle(orderId).startUpdate(CUSTOMER_RETURNED_UPDATE, { waitForStage: 'ACCEPTED' }),
        );
      } catch (error) {
        // Refused: the order already has its payment, or was told often enough.
        if (!(error instanceof WorkflowUpdateFailedError)) throw error;
      }
    },
  };
}

/** The type of the failure that the server returns if a workflow ends before it has answered an accepted update. */
const CLOSED_BEFORE_ITS_RESULT = 'AcceptedUpdateCompletedWorkflow';

/** Tells an update that found no running workflow from one that the workflow refused; rethrows anything else. */
function closedOrRefused(error: unknown): { readonly outcome: 'closed' } | Refused {
  if (error instanceof WorkflowNotFoundError) return { outcome: 'closed' };
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
    return error.cause.type === CLOSED_BEFORE_ITS_RESULT
      ? { outcome: 'closed' }
      : { outcome: 'refused', why: error.cause.message };
  }
  throw error;
}

/** Waits for a result. The workflow has accepted the request, so nothing is lost if the time runs out. */
async function resultOrUnderWay<Result>(
  result: Promise<Result>,
): Promise<Exclude<Outcome<Result>, { readonly outcome: 'closed' }>> {
  try {
    return { outcome: 'ended', result: await result };
  } catch (error) {
    if (isTimeout(error)) return { outcome: 'underWay' };
    throw error;
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isGrpcDeadlineError(error);
}

/** What Temporal's Web UI shows of the order in its list; the total is known only once the stock is held. */
function summaryOf({ customerId, lines }: OrderLifecycleInput): string {
  const items = lines.map(({ itemId, quantity }) => `${quantity} x ${itemId}`).join(', ');
  return cutToBytes(`Customer ${customerId}: ${items}`, MAX_SUMMARY_BYTES);
}

/**
 * Cuts a text so that its JSON has at most `maxBytes`: a quote takes two bytes there, and letters outside of ASCII two
 * to four.
 */
function cutToBytes(text: string, maxBytes: number): string {
  const bytesOf = (part: string) => Buffer.byteLength(JSON.stringify(part));
  if (bytesOf(text) <= maxBytes) return text;
  // Every character has at least one byte.
  const characters = Array.from(text.slice(0, maxBytes));
  while (bytesOf(`${characters.join('')}...`) > maxBytes) characters.pop();
  return `${characters.join('')}...`;
}

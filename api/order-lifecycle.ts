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
  type CancelRequest,
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
  REFUND_ORDER,
  REFUND_UPDATE,
  type RefundOrderInput,
  type RefundRequest,
  type RefundResult,
  refundWorkflowId,
  type TaskQueues,
} from '../contracts/messages.ts';
import type { OrderRecord } from '../database/orders.ts';

/** How long a cancel or refund waits for the order's end before it answers that it is under way. */
const CANCEL_WAIT_MS = 5_000;
/** A customer who comes back from Stripe does not wait for us. */
const RETURN_WAIT_MS = 2_000;
/** Temporal keeps 400 bytes of a workflow's summary. */
const SUMMARY_LENGTH = 300;

type Outcome<Result> =
  | { readonly outcome: 'ended'; readonly result: Result }
  /** The order has taken the request, and will come to its end. */
  | { readonly outcome: 'underWay' }
  /** There is no running workflow that takes it, or it ended before it could answer: the order's row says how. */
  | { readonly outcome: 'closed' };

export type CancelOutcome = Outcome<CancelResult> | { readonly outcome: 'refused'; readonly why: string };
export type RefundOutcome = Outcome<RefundResult>;

/** What the API asks of an order's workflow. */
export type OrderLifecycle = ReturnType<typeof createOrderLifecycle>;

type Options = { readonly client: Client; readonly taskQueues: TaskQueues; readonly createTimeoutMs: number };

/** @param options `createTimeoutMs`: how long a create waits for its answer, in milliseconds */
export function createOrderLifecycle({ client, taskQueues, createTimeoutMs }: Options) {
  /** What the workflow of an order that was refused says; null where there is an order or nothing is said. */
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

  return {
    /**
     * Starts the order's workflow and waits for the order, in one durable round trip. Asked again it gives the first
     * answer, also once the order has ended.
     *
     * @throws WorkflowUpdateRPCTimeoutOrCancelledError where the time is over; the order may exist
     * @throws WorkflowExecutionAlreadyStartedError where a workflow of this id ended without an answer
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
        // Temporal may have lost the update, which is durable only once it is accepted, and run the workflow all the same.
        const create =
          error instanceof WorkflowExecutionAlreadyStartedError ? await refusedCreate(input.orderId, deadline) : null;
        if (create === null) throw error;
        return create;
      }
    },

    /**
     * Asks the order to end without its customer having it.
     *
     * @throws WorkflowUpdateRPCTimeoutOrCancelledError where the workflow did not even take the request in time
     */
    async cancel(orderId: string, request: CancelRequest): Promise<CancelOutcome> {
      const deadline = Date.now() + CANCEL_WAIT_MS;
      try {
        const update = await client.withDeadline(deadline, () =>
          client.workflow.getHandle(orderId).startUpdate<CancelResult, [CancelRequest]>(CANCEL_UPDATE, {
            updateId: CANCEL_UPDATE_ID,
            args: [request],
            // An update that is not accepted yet is not durable: nobody may be told that it is under way.
            waitForStage: 'ACCEPTED',
          }),
        );
        return await resultOrUnderWay(client.withDeadline(deadline, () => update.result()));
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return { outcome: 'closed' };
        if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
          return error.cause.type === CLOSED_BEFORE_ITS_RESULT
            ? { outcome: 'closed' }
            : { outcome: 'refused', why: error.cause.message };
        }
        throw error;
      }
    },

    /**
     * Asks for a refund: of the running workflow while the order is being fulfilled, and after its end of a workflow of
     * its own. Asked again it finds the first one.
     *
     * @param order as its row stands; PAID, FINISHED or REFUNDED
     * @throws WorkflowUpdateRPCTimeoutOrCancelledError where the workflow did not even take the request in time
     */
    async refund(order: Pick<OrderRecord, 'orderId' | 'status'>, request: RefundRequest): Promise<RefundOutcome> {
      const { orderId, status } = order;
      const deadline = Date.now() + CANCEL_WAIT_MS;
      try {
        if (status === 'PAID') {
          const update = await client.withDeadline(deadline, () =>
            client.workflow
              .getHandle(orderId)
              .startUpdate<RefundResult, [RefundRequest]>(REFUND_UPDATE, { args: [request], waitForStage: 'ACCEPTED' }),
          );
          return await resultOrUnderWay(client.withDeadline(deadline, () => update.result()));
        }
        const refunding = await client.withDeadline(deadline, () =>
          client.workflow.start<(input: RefundOrderInput) => Promise<RefundResult>>(REFUND_ORDER, {
            workflowId: refundWorkflowId(orderId),
            workflowIdConflictPolicy: 'USE_EXISTING',
            taskQueue: taskQueues.orders,
            args: [{ orderId, ...request }],
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

    /** Tells the order that its customer is back from Stripe, so that it need not rely on the webhook alone. */
    async customerReturned(orderId: string): Promise<void> {
      try {
        await client.withDeadline(Date.now() + RETURN_WAIT_MS, () =>
          client.workflow.getHandle(orderId).startUpdate(CUSTOMER_RETURNED_UPDATE, { waitForStage: 'ACCEPTED' }),
        );
      } catch (error) {
        // Refused: the order has its payment, or was told often enough.
        if (!(error instanceof WorkflowUpdateFailedError)) throw error;
      }
    },
  };
}

/** The type of the failure that the server makes where a workflow ends with an accepted update unanswered. */
const CLOSED_BEFORE_ITS_RESULT = 'AcceptedUpdateCompletedWorkflow';

/** Waits for what the workflow was asked for; once it has taken the request, nothing is lost when the time is over. */
async function resultOrUnderWay<Result>(result: Promise<Result>): Promise<Outcome<Result>> {
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
  const summary = `Customer ${customerId}: ${lines.map(({ itemId, quantity }) => `${quantity} x ${itemId}`).join(', ')}`;
  return summary.length <= SUMMARY_LENGTH ? summary : `${summary.slice(0, SUMMARY_LENGTH - 3)}...`;
}

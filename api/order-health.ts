/** How open orders are doing, in sentences for operators. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { ListedOrder } from '../database/order-pages.ts';
import { formatDuration } from '../domain/duration.ts';
import { isTerminal, type OpenStatus, type OrderStatus } from '../domain/order-status.ts';

const MINUTE_MS = 60_000;
/** A workflow task that has failed more often will not recover by itself. */
const MAX_TASK_ATTEMPTS = 3;

/** An activity that is running or being retried, with its last failure. */
type PendingStep = { readonly activity: string; readonly attempt: number; readonly failure: string | null };

export type WorkflowState =
  | {
      readonly found: true;
      /** `RUNNING`, or how it ended: `COMPLETED`, `FAILED`, `TERMINATED`, `CANCELED`, `TIMED_OUT`. */
      readonly status: string;
      readonly pending: readonly PendingStep[];
      /** How many times in a row its workflow task has failed; more than a few mean a bug. */
      readonly taskAttempt: number;
    }
  /** Temporal has no such workflow: it forgets closed ones after the retention period. */
  | { readonly found: false }
  | { readonly found: 'unknown'; readonly problem: string };

/** Returns the state of the workflow with this id. It throws if Temporal is down. */
export async function readWorkflowState(client: Client, workflowId: string): Promise<WorkflowState> {
  try {
    const { status, raw } = await client.workflow.getHandle(workflowId).describe();
    const pending = (raw.pendingActivities ?? []).map((activity) => ({
      activity: activity.activityType?.name ?? 'activity',
      attempt: activity.attempt ?? 1,
      failure: activity.lastFailure?.message ?? null,
    }));
    return { found: true, status: status.name, pending, taskAttempt: raw.pendingWorkflowTask?.attempt ?? 0 };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { found: false };
    throw error;
  }
}

/** How long an order may stay in a status before an operator should look. */
export function patienceMs(paymentWindowMs: number): Readonly<Record<OpenStatus, number>> {
  return {
    PENDING: 2 * MINUTE_MS,
    WAITING_FOR_PAYMENT: paymentWindowMs + 10 * MINUTE_MS,
    PAID: 10 * MINUTE_MS,
  };
}

/** Whether nothing looks after an order that has not ended: its workflow is gone. */
export function isLost(order: Pick<ListedOrder, 'status'>, workflow: WorkflowState): boolean {
  if (isTerminal(order.status) || workflow.found === 'unknown') return false;
  return !workflow.found || workflow.status !== 'RUNNING';
}

/** Whether its workflow completed without the row knowing: PostgreSQL was restored to an earlier time. */
function isBehind(workflow: string): boolean {
  return workflow === 'COMPLETED';
}

type Sentences = { readonly message: string; readonly fix: string };

/**
 * Says what is wrong with an order that nothing looks after, and what to do.
 *
 * @param workflow how its workflow ended, or `gone`
 */
export function describeLostOrder(
  { orderId, status }: Pick<ListedOrder, 'orderId' | 'status'>,
  workflow: string,
): Sentences {
  if (isBehind(workflow)) {
    return {
      message: `Order ${orderId} is ${status}, but its workflow has ended: PostgreSQL was restored to a time before that`,
      fix: '`npm run cli -- doctor --repair` writes it again from what its workflow remembers; see docs/operations.md, "After a restore".',
    };
  }
  const fate = workflow === 'gone' ? 'Temporal has no workflow for it' : `its workflow is ${workflow}`;
  const repair =
    status === 'PAID'
      ? 'ships it, or refunds it if it cannot be shipped'
      : 'closes its Checkout Session at Stripe, refunds what was paid and cancels it';
  return {
    message: `Order ${orderId} is ${status}, but ${fate}, so nothing happens to it`,
    fix: `\`npm run cli -- doctor --repair\` ${repair}.`,
  };
}

/** Says for how long an order has waited that should be further by now, why, and what to do. */
export function describeSlowOrder(
  { orderId, status, updatedAt }: Pick<ListedOrder, 'orderId' | 'status' | 'updatedAt'>,
  workflow: WorkflowState,
): Sentences {
  const waitedMs = Date.now() - updatedAt.getTime();
  return {
    message: `Order ${orderId} has been ${status} for ${formatDuration(waitedMs)}; ${reasonFor(workflow, status)}`,
    fix: `\`npm run cli -- order show ${orderId}\` shows more; see docs/operations.md, "An order is stuck".`,
  };
}

/** Whether our own code keeps failing in a workflow. */
export function isFailing(workflow: WorkflowState): boolean {
  return workflow.found === true && workflow.taskAttempt > MAX_TASK_ATTEMPTS;
}

/** Says why a workflow goes no further. */
export function reasonFor(workflow: WorkflowState, status: OrderStatus): string {
  if (workflow.found !== true) return 'its workflow could not be read, so the reason is unknown';
  if (isFailing(workflow)) return `its workflow has failed in our own code ${workflow.taskAttempt} times in a row`;
  const [step] = workflow.pending;
  if (step !== undefined) {
    return step.failure === null
      ? `${step.activity} is still running, or no worker takes it`
      : `${step.activity} keeps failing (attempt ${step.attempt}): ${step.failure}`;
  }
  return status === 'WAITING_FOR_PAYMENT'
    ? 'its payment may still be processing at the bank'
    : 'no step is running: it is held, pauses before the next attempt, or no worker takes its workflow tasks';
}

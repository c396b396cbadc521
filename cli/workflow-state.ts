import { WorkflowNotFoundError } from '@temporalio/client';
import type { Context } from './context.ts';
import { reasonOf } from './errors.ts';

/** A step that is tried again and again, with what went wrong the last time. */
export type PendingStep = { readonly activity: string; readonly attempt: number; readonly failure: string | null };

export type WorkflowState =
  | {
      readonly found: true;
      /** `RUNNING`, or how it ended: `COMPLETED`, `FAILED`, `TERMINATED`, `CANCELED`, `TIMED_OUT`. */
      readonly status: string;
      readonly pending: readonly PendingStep[];
      /** How often its code has failed in a row at the same place; more than a few times is a bug. */
      readonly taskAttempt: number;
    }
  /** Temporal has none: it forgets closed workflows after its retention. */
  | { readonly found: false }
  | { readonly found: 'unknown'; readonly problem: string };

/** Says how the workflow of this id stands at Temporal; it does not throw where Temporal is away. */
export async function describeWorkflow(context: Context, workflowId: string): Promise<WorkflowState> {
  try {
    const client = await context.temporal();
    const { status, raw } = await client.workflow.getHandle(workflowId).describe();
    const pending = (raw.pendingActivities ?? []).map((activity) => ({
      activity: activity.activityType?.name ?? 'activity',
      attempt: activity.attempt ?? 1,
      failure: activity.lastFailure?.message ?? null,
    }));
    return { found: true, status: status.name, pending, taskAttempt: raw.pendingWorkflowTask?.attempt ?? 0 };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { found: false };
    return { found: 'unknown', problem: reasonOf(error) };
  }
}

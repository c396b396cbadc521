import { WorkflowNotFoundError } from '@temporalio/client';
import type { Context } from './context.ts';
import { reasonOf } from './errors.ts';

/** An activity that is running or being retried, with its last failure. */
export type PendingStep = { readonly activity: string; readonly attempt: number; readonly failure: string | null };

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

/** Describes the workflow with this id; returns `unknown` instead of throwing if Temporal is down. */
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

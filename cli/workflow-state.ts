import { readWorkflowState, type WorkflowState } from '../api/order-health.ts';
import type { Context } from './context.ts';
import { reasonOf } from './errors.ts';

/** Describes the workflow with this id; returns `unknown` instead of throwing if Temporal is down. */
export async function describeWorkflow(context: Context, workflowId: string): Promise<WorkflowState> {
  try {
    return await readWorkflowState(await context.temporal(), workflowId);
  } catch (error) {
    return { found: 'unknown', problem: reasonOf(error) };
  }
}

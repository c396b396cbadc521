import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';

/** Whether an activity failed for good with this type of failure. */
export function failedWith(error: unknown, type: string): error is ActivityFailure {
  return error instanceof ActivityFailure && error.cause instanceof ApplicationFailure && error.cause.type === type;
}

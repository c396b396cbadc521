import { ActivityFailure, ApplicationFailure, type TemporalFailure } from '@temporalio/workflow';

/**
 * Whether an activity failed for good with this type of failure. A local activity's failure is not wrapped in an
 * `ActivityFailure`.
 */
export function failedWith(error: unknown, type: string): error is TemporalFailure {
  const failure = error instanceof ActivityFailure ? error.cause : error;
  return failure instanceof ApplicationFailure && failure.type === type;
}

import type { History } from '@temporalio/common/lib/proto-utils.js';

/**
 * Counts what Temporal Cloud would bill of a history, in Actions: workflow starts, timers, signals, updates, upserts of
 * search attributes, attempts of activities, and one for the local activities of a workflow task.
 *
 * @see https://docs.temporal.io/cloud/actions
 */
export function billableActions({ events }: History): number {
  let actions = 0;
  let localActivitiesCounted = false;
  for (const event of events ?? []) {
    if (event.workflowTaskCompletedEventAttributes) localActivitiesCounted = false;
    if (event.markerRecordedEventAttributes?.markerName === 'core_local_activity' && !localActivitiesCounted) {
      localActivitiesCounted = true;
      actions += 1;
    }
    if (
      event.workflowExecutionStartedEventAttributes ||
      event.timerStartedEventAttributes ||
      event.workflowExecutionSignaledEventAttributes ||
      event.workflowExecutionUpdateAcceptedEventAttributes ||
      event.upsertWorkflowSearchAttributesEventAttributes
    ) {
      actions += 1;
    }
    actions += event.activityTaskStartedEventAttributes?.attempt ?? 0;
  }
  return actions;
}

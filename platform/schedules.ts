import { type ConnectionLike, ScheduleAlreadyRunning, ScheduleClient, ScheduleOverlapPolicy } from '@temporalio/client';
import { RECONCILE_BOOKS, reconciliationScheduleId, taskQueues } from '../contracts/messages.ts';
import { hasGrpcStatus } from './temporal.ts';
import type { Logger } from './logger.ts';

/**
 * Sees to it that Temporal starts the comparison with Stripe again and again. A schedule that is there stays as it is: an
 * operator may have paused it, or changed how often it starts.
 *
 * @param options `everyMs` how often, in ms; `logger` is told if this process may not make schedules
 */
export async function ensureReconciliationSchedule(
  connection: ConnectionLike,
  options: {
    readonly namespace: string;
    readonly taskQueuePrefix: string;
    readonly everyMs: number;
    readonly logger: Pick<Logger, 'warn'>;
  },
): Promise<void> {
  const { namespace, taskQueuePrefix, everyMs, logger } = options;
  const scheduleId = reconciliationScheduleId(taskQueuePrefix);
  try {
    await new ScheduleClient({ connection, namespace }).create({
      scheduleId,
      spec: { intervals: [{ every: everyMs }] },
      policies: { overlap: ScheduleOverlapPolicy.SKIP },
      action: {
        type: 'startWorkflow',
        workflowType: RECONCILE_BOOKS,
        workflowId: scheduleId,
        taskQueue: taskQueues(taskQueuePrefix).orders,
        args: [],
        staticSummary: 'Compares the rows with Stripe',
      },
    });
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) return;
    if (!hasGrpcStatus(error, 'PERMISSION_DENIED', 'UNIMPLEMENTED')) throw error;
    // Orders need no schedule; the alert on the age of the last comparison calls somebody.
    logger.warn(
      { err: error },
      `This process may not make the schedule ${scheduleId}, so nothing compares the rows with Stripe. Make it with: temporal schedule create --namespace ${namespace} --schedule-id ${scheduleId} --interval ${everyMs / 1000}s --overlap-policy Skip --workflow-id ${scheduleId} --type ${RECONCILE_BOOKS} --task-queue ${taskQueues(taskQueuePrefix).orders}`,
    );
  }
}

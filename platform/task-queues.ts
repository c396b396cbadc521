import type { TemporalConnection } from './temporal.ts';

/** `TASK_QUEUE_TYPE_…` of Temporal's API, which the client's packages do not export. */
const TASK_QUEUE_TYPES = { workflow: 1, activity: 2 } as const;

export type TaskQueueKind = keyof typeof TASK_QUEUE_TYPES;

/** Gives the workers that have polled a task queue in the last minutes, by the identity that they give themselves. */
export async function listPollers(
  connection: TemporalConnection,
  namespace: string,
  taskQueue: string,
  kind: TaskQueueKind,
): Promise<string[]> {
  const described = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: TASK_QUEUE_TYPES[kind],
  });
  return (described.pollers ?? []).map(({ identity }) => identity ?? '');
}

import type { TemporalConnection } from './temporal.ts';

/** `TASK_QUEUE_TYPE_…` of Temporal's API, which the client's packages do not export. */
export const TASK_QUEUE_TYPES = { workflow: 1, activity: 2 } as const;

export type TaskQueueKind = keyof typeof TASK_QUEUE_TYPES;

/** A running worker polls at least once a minute; the server remembers one that has gone for minutes. */
const LAST_SEEN_MS = 90_000;

/** Returns the identities of the workers that poll a task queue. */
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
  return (described.pollers ?? [])
    .filter(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000 > Date.now() - LAST_SEEN_MS)
    .map(({ identity }) => identity ?? '');
}

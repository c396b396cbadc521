import type { Client } from '@temporalio/client';
import { Worker, type WorkerOptions } from '@temporalio/worker';
import type { Queryable } from '../../database/database.ts';
import { ORDER_STATUS_ATTRIBUTE } from '../../contracts/messages.ts';
import { historyViolations, refusedViolations } from './find-violations.ts';

type Histories = {
  readonly client: Client;
  readonly database: Queryable;
  readonly ordersQueue: string;
  readonly bundle: Pick<WorkerOptions, 'workflowBundle' | 'plugins'>;
};

/**
 * Replays every history of a task queue against the bundle, and reads in them what the other witnesses cannot know.
 *
 * @returns a sentence for each history that does not replay, and for each promise that is broken
 */
export async function findHistoryViolations({ client, database, ordersQueue, bundle }: Histories): Promise<string[]> {
  const query = `TaskQueue = '${ordersQueue}'`;
  const violations: string[] = [];
  const histories = client.workflow.list({ query }).intoHistories({ concurrency: 4 });
  async function* inspected() {
    for await (const entry of histories) {
      violations.push(...historyViolations(entry.workflowId, entry.history));
      yield entry;
    }
  }
  for await (const { workflowId, error } of Worker.runReplayHistories(bundle, inspected())) {
    if (error !== undefined) violations.push(`The history of ${workflowId} does not replay: ${error.message}`);
  }
  const refused: { workflowId: string; runId: string }[] = [];
  const workflows = client.workflow.list({ query: `${query} AND ${ORDER_STATUS_ATTRIBUTE} = 'REFUSED'` });
  for await (const { workflowId, runId } of workflows) refused.push({ workflowId, runId });
  return [...violations, ...(await refusedViolations(database, refused))];
}

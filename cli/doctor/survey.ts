import type { Client } from '@temporalio/client';
import { ORDER_LIFECYCLE, ORDER_STATUS_ATTRIBUTE, RECOVER_ORDER, taskQueues } from '../../contracts/messages.ts';
import { listOrdersById } from '../../database/order-checks.ts';
import type { ListedOrder } from '../../database/order-pages.ts';
import type { Context } from '../context.ts';
import { type OrderRun, type Standing, standingOf } from './standing.ts';

/** An order as its row and its workflow have it. */
export type SurveyedOrder = {
  readonly orderId: string;
  readonly row: ListedOrder | undefined;
  readonly run: OrderRun & { readonly startedAt: Date };
  readonly standing: Standing;
};

/** Temporal's largest page. */
const PAGE = 1000;

/**
 * Compares the rows of all orders that Temporal remembers with their workflows. Temporal's list lags behind a little and
 * is read first, so a row that looks behind is.
 */
export async function surveyOrders(context: Context, client: Client): Promise<SurveyedOrder[]> {
  const runs = [...(await newestRuns(context, client))];
  const surveyed: SurveyedOrder[] = [];
  for (let start = 0; start < runs.length; start += PAGE) {
    const page = runs.slice(start, start + PAGE);
    const rows = await listOrdersById(
      context.database,
      page.map(([orderId]) => orderId),
    );
    const rowOf = new Map(rows.map((row) => [row.orderId, row]));
    for (const [orderId, run] of page) {
      const row = rowOf.get(orderId);
      surveyed.push({ orderId, row, run, standing: standingOf(row?.status, run) });
    }
  }
  return surveyed;
}

async function newestRuns(context: Context, client: Client): Promise<Map<string, SurveyedOrder['run']>> {
  const { orders } = taskQueues(context.settings.config.temporal.taskQueuePrefix);
  const query = `TaskQueue = '${orders}' AND WorkflowType IN ('${ORDER_LIFECYCLE}', '${RECOVER_ORDER}')`;
  const newest = new Map<string, SurveyedOrder['run']>();
  for await (const workflow of client.workflow.list({ query, pageSize: PAGE })) {
    const { workflowId, runId, status, startTime: startedAt, searchAttributes } = workflow;
    if ((newest.get(workflowId)?.startedAt ?? 0) > startedAt) continue;
    const [says] = searchAttributes[ORDER_STATUS_ATTRIBUTE] ?? [];
    newest.set(workflowId, { runId, startedAt, status: status.name, says: says as OrderRun['says'] });
  }
  return newest;
}

import type { Client } from '@temporalio/client';
import { describeLostOrder, describeSlowOrder, isFailing, patienceMs, reasonFor } from '../../api/order-health.ts';
import { ORDER_LIFECYCLE, RECOVER_ORDER, taskQueues } from '../../contracts/messages.ts';
import { findExistingOrderIds, listOpenOrders } from '../../database/order-checks.ts';
import type { ListedOrder } from '../../database/order-pages.ts';
import { findOrder } from '../../database/orders.ts';
import { isTerminal } from '../../domain/order-status.ts';
import type { Context } from '../context.ts';
import { describeWorkflow } from '../workflow-state.ts';
import { attempt, type Finding, ok, problem, warning } from './finding.ts';

const ABOUT = 'Orders';
const SEE_TEMPORAL = 'See the findings on PostgreSQL and Temporal.';
const MINUTE_MS = 60_000;
/** The most orders to describe in full; the rest are counted. */
const MAX_DESCRIBED = 20;

/** Finds orders whose workflow is gone, orders that wait longer than they should, and workflows without an order. */
export async function checkOrders(context: Context): Promise<readonly Finding[]> {
  return attempt(ABOUT, SEE_TEMPORAL, async () => {
    const client = await context.temporal();
    const running = await listRunning(context, client);
    const open = await listOpenOrders(context.database);
    const lost = await findLostOrders(context, open, new Set(running.keys()));
    const lostIds = new Set(lost.map(({ orderId }) => orderId));
    const findings = [
      ...lost.map(describeLost),
      ...(await findSlowOrders(
        context,
        open.filter(({ orderId }) => !lostIds.has(orderId)),
      )),
      ...(await findWorkflowsWithoutOrder(context, running)),
    ];
    return findings.length > 0 ? findings : [ok(ABOUT, `all ${open.length} open orders have a running workflow`)];
  });
}

/** An order that has not ended, and whose workflow is not running. */
export type LostOrder = ListedOrder & { readonly workflow: string };

/** Finds the open orders whose workflow is gone; each is checked by its id, since Temporal's lists lag behind. */
export async function findLostOrders(
  context: Context,
  open: readonly ListedOrder[],
  running: ReadonlySet<string>,
): Promise<LostOrder[]> {
  const lost: LostOrder[] = [];
  for (const order of open.filter(({ orderId }) => !running.has(orderId))) {
    const workflow = await describeWorkflow(context, order.orderId);
    if (workflow.found === 'unknown') throw new Error(workflow.problem);
    if (workflow.found && workflow.status === 'RUNNING') continue;
    // It may have ended since the list was made; its row is written before its workflow ends.
    const now = await findOrder(context.database, order.orderId);
    if (now === undefined || isTerminal(now.status)) continue;
    lost.push({ ...order, status: now.status, workflow: workflow.found ? workflow.status : 'gone' });
  }
  return lost;
}

/** Returns the start time of each running order workflow, by order id. */
export async function listRunning(context: Context, client: Client): Promise<Map<string, Date>> {
  const { orders } = taskQueues(context.settings.config.temporal.taskQueuePrefix);
  const query = `WorkflowType IN ('${ORDER_LIFECYCLE}', '${RECOVER_ORDER}') AND ExecutionStatus = 'Running' AND TaskQueue = '${orders}'`;
  const running = new Map<string, Date>();
  for await (const { workflowId, startTime } of client.workflow.list({ query })) running.set(workflowId, startTime);
  return running;
}

function describeLost(order: LostOrder): Finding {
  const { message, fix } = describeLostOrder(order, order.workflow);
  return problem(ABOUT, message, fix, [order.orderId]);
}

async function findSlowOrders(context: Context, open: readonly ListedOrder[]): Promise<Finding[]> {
  const patience = patienceMs(context.settings.config.paymentWindowMs);
  const slow = open.filter(({ status, updatedAt }) => {
    return !isTerminal(status) && Date.now() - updatedAt.getTime() > patience[status];
  });
  const findings: Finding[] = [];
  for (const order of slow.slice(0, MAX_DESCRIBED)) {
    const workflow = await describeWorkflow(context, order.orderId);
    const { message, fix } = describeSlowOrder(order, workflow);
    const finding = isFailing(workflow) ? problem : warning;
    findings.push(finding(ABOUT, message, fix, [order.orderId]));
  }
  const rest = slow.slice(MAX_DESCRIBED).map(({ orderId }) => orderId);
  if (rest.length > 0) {
    findings.push(
      warning(ABOUT, `${rest.length} more orders wait longer than they should`, 'Fix the ones above first.', rest),
    );
  }
  return findings;
}

/** Finds workflows that have run for a while without a row: creates that hang, or a database that was restored. */
async function findWorkflowsWithoutOrder(context: Context, running: ReadonlyMap<string, Date>): Promise<Finding[]> {
  const old = [...running].filter(([, startedAt]) => Date.now() - startedAt.getTime() > MINUTE_MS).map(([id]) => id);
  const existing = await findExistingOrderIds(context.database, old);
  const findings: Finding[] = [];
  for (const orderId of old.filter((id) => !existing.has(id)).slice(0, MAX_DESCRIBED)) {
    const workflow = await describeWorkflow(context, orderId);
    if (workflow.found !== true || workflow.status !== 'RUNNING') continue;
    findings.push(
      problem(
        ABOUT,
        `A workflow runs for order ${orderId}, but PostgreSQL has no such order; ${reasonFor(workflow, 'PENDING')}`,
        'A worker or PostgreSQL may be down; otherwise the database was restored: see docs/operations.md, "After a restore".',
        [orderId],
      ),
    );
  }
  return findings;
}

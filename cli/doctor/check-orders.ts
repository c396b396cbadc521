import type { Client } from '@temporalio/client';
import { ORDER_LIFECYCLE, RECOVER_ORDER, taskQueues } from '../../contracts/messages.ts';
import { findExistingOrderIds, listOpenOrders } from '../../database/order-checks.ts';
import type { ListedOrder } from '../../database/order-pages.ts';
import { findOrder } from '../../database/orders.ts';
import { isTerminal, type OrderStatus } from '../../domain/order-status.ts';
import type { Context } from '../context.ts';
import { formatDuration } from '../text.ts';
import { describeWorkflow, type WorkflowState } from '../workflow-state.ts';
import { attempt, type Finding, ok, problem, warning } from './finding.ts';

const ABOUT = 'Orders';
const SEE_TEMPORAL = 'See what is said of PostgreSQL and Temporal.';
const MINUTE_MS = 60_000;
/** What is described in full; the rest is counted. */
const MAX_DESCRIBED = 20;
/** A workflow task that fails more often is not a hiccup. */
const MAX_TASK_ATTEMPTS = 3;

/** Orders that wait longer than they should, that nobody looks after, and workflows that belong to no order. */
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
    return findings.length > 0 ? findings : [ok(ABOUT, `all ${open.length} open orders are being looked after`)];
  });
}

/** An order that has not ended, and whose workflow is not running. */
export type LostOrder = ListedOrder & { readonly workflow: string };

/** Finds the open orders whose workflow is gone; each is asked for by its id, since lists lag behind. */
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

/** Its workflow came to an end of its own that its row does not know: the database is older than Temporal's. */
export function isBehind({ workflow }: LostOrder): boolean {
  return workflow === 'COMPLETED';
}

function describeLost(order: LostOrder): Finding {
  const { orderId, status, workflow } = order;
  if (isBehind(order)) {
    return problem(
      ABOUT,
      `Order ${orderId} is ${status}, but its workflow has ended: PostgreSQL was restored to before that`,
      'It is not repaired by itself, since its goods may have left: see docs/operations.md, "After a restore".',
      [orderId],
    );
  }
  const fate = workflow === 'gone' ? 'Temporal knows no workflow of it' : `its workflow is ${workflow}`;
  const repair =
    status === 'PAID'
      ? 'ships it, or refunds it if it cannot be shipped'
      : 'closes its Checkout Session at Stripe, refunds what was paid and cancels it';
  return problem(
    ABOUT,
    `Order ${orderId} is ${status}, but ${fate}: nothing looks after it`,
    `\`npm run cli -- doctor --repair\` ${repair}.`,
    [orderId],
  );
}

/** The workflows of orders that run, by order id, with their start. */
export async function listRunning(context: Context, client: Client): Promise<Map<string, Date>> {
  const { orders } = taskQueues(context.settings.config.temporal.taskQueuePrefix);
  const query = `WorkflowType IN ('${ORDER_LIFECYCLE}', '${RECOVER_ORDER}') AND ExecutionStatus = 'Running' AND TaskQueue = '${orders}'`;
  const running = new Map<string, Date>();
  for await (const { workflowId, startTime } of client.workflow.list({ query })) running.set(workflowId, startTime);
  return running;
}

/** How long an order may stay in a status before somebody should look, in milliseconds. */
function patienceMs(status: OrderStatus, paymentWindowMs: number): number {
  if (status === 'PENDING') return 2 * MINUTE_MS;
  return status === 'PAID' ? 10 * MINUTE_MS : paymentWindowMs + 10 * MINUTE_MS;
}

async function findSlowOrders(context: Context, open: readonly ListedOrder[]): Promise<Finding[]> {
  const { paymentWindowMs } = context.settings.config;
  const waitedMs = (order: ListedOrder) => Date.now() - order.updatedAt.getTime();
  const slow = open.filter((order) => waitedMs(order) > patienceMs(order.status, paymentWindowMs));
  const findings: Finding[] = [];
  for (const order of slow.slice(0, MAX_DESCRIBED)) {
    const { orderId, status } = order;
    const workflow = await describeWorkflow(context, orderId);
    const message = `Order ${orderId} has been ${status} for ${formatDuration(waitedMs(order))}; ${reasonFor(workflow, status)}`;
    const mend = `\`npm run cli -- order show ${orderId}\` tells more; see docs/operations.md, "An order is stuck".`;
    findings.push(
      isFailing(workflow) ? problem(ABOUT, message, mend, [orderId]) : warning(ABOUT, message, mend, [orderId]),
    );
  }
  const rest = slow.slice(MAX_DESCRIBED).map(({ orderId }) => orderId);
  if (rest.length > 0) {
    findings.push(
      warning(ABOUT, `${rest.length} more orders wait longer than they should`, 'Fix the ones above first.', rest),
    );
  }
  return findings;
}

function isFailing(workflow: WorkflowState): boolean {
  return workflow.found === true && workflow.taskAttempt > MAX_TASK_ATTEMPTS;
}

function reasonFor(workflow: WorkflowState, status: OrderStatus): string {
  if (workflow.found !== true) return 'its workflow could not be asked why';
  if (isFailing(workflow)) return `its workflow fails in our own code, ${workflow.taskAttempt} times now`;
  const [step] = workflow.pending;
  if (step !== undefined) {
    return step.failure === null
      ? `${step.activity} is not done yet: it is at work, or no worker takes it`
      : `${step.activity} fails, ${step.attempt} times now: ${step.failure}`;
  }
  return status === 'WAITING_FOR_PAYMENT'
    ? 'its payment may still be on its way from the bank'
    : 'no step is at work: it is held, pauses before the next attempt, or no worker takes its workflow tasks';
}

/** Workflows that have run for a while and whose order has no row: creates that hang, or a database that was restored. */
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
        'A worker or PostgreSQL may be away; else the database was restored: see docs/operations.md, "After a restore".',
        [orderId],
      ),
    );
  }
  return findings;
}

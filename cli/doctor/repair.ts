import {
  type Client,
  isGrpcDeadlineError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
} from '@temporalio/client';
import { defineSearchAttributeKey, rootCause, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import {
  CUSTOMER_ID_ATTRIBUTE,
  ORDER_STATUS_ATTRIBUTE,
  type OrderLifecycleResult,
  RECOVER_ORDER,
  type RecoverOrderInput,
  taskQueues,
} from '../../contracts/messages.ts';
import { listOpenOrders, listStrayStock } from '../../database/order-checks.ts';
import type { ListedOrder } from '../../database/order-pages.ts';
import { findOrder } from '../../database/orders.ts';
import { giveBackStock } from '../../database/stock.ts';
import type { Context } from '../context.ts';
import { orderPolicy } from '../../api/order-policy.ts';
import { reasonOf } from '../errors.ts';
import { describeWorkflow } from '../workflow-state.ts';
import { findLostOrders, findParted } from './check-orders.ts';
import { finishRefunds } from './check-refunds.ts';
import { closeUnknownPages } from './check-sessions.ts';
import { isOld } from './check-stock.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { forEach, listLaterWorkflows, rewriteFromJournal } from './rewrite-rows.ts';
import { surveyOrders } from './survey.ts';

const ABOUT = 'Repair';
/** How long to wait for the orders that are recovered; their workflows go on after that. */
const WAIT_MS = 20_000;

/**
 * Brings PostgreSQL and Temporal together again: rows that a restored backup lacks are written from their workflows,
 * workflows that a restored backup turned back are ended and their orders taken up from their rows, as every order is
 * whose workflow is gone; stock is given back that is held for orders that never were.
 */
export async function repair(context: Context): Promise<Finding[]> {
  const client = await context.temporal();
  const findings = [
    ...(await rewriteRows(context, client)),
    ...(await takeUpOrders(context, client)),
    ...(await finishRefunds(context)),
    ...(await releaseStrayStock(context)),
    ...(await closeUnknownPages(context)),
  ];
  return findings.length > 0 ? findings : [ok(ABOUT, 'there is nothing to repair')];
}

async function rewriteRows(context: Context, client: Client): Promise<readonly Finding[]> {
  const parted = await findParted(client, await surveyOrders(context, client), 0);
  const behind = parted.filter(({ standing }) => standing === 'rowBehind');
  if (behind.length === 0) return [];
  const before = new Map(behind.map(({ orderId, row }) => [orderId, row?.status ?? 'missing']));
  const { findings, isAway } = await forEach('Order', [...before.keys()], async (orderId) => {
    await rewriteFromJournal(context, client, orderId);
    const order = await findOrder(context.database, orderId);
    return `The row of order ${orderId} was ${before.get(orderId)}, and is ${order?.status ?? 'still missing'} now`;
  });
  if (isAway) return findings;
  // What happened to orders after their end was lost with the rest.
  const later = await listLaterWorkflows(context, client);
  const after = await forEach('Workflow', later, (id) => rewriteFromJournal(context, client, id).then(nothingToTell));
  return [...findings, ...after.findings];
}

function nothingToTell(): undefined {
  return undefined;
}

async function takeUpOrders(context: Context, client: Client): Promise<Finding[]> {
  const survey = await surveyOrders(context, client);
  const parted = await findParted(client, survey, 0);
  const stale = parted.flatMap(({ row, standing }) => (row && standing === 'workflowBehind' ? [row] : []));
  for (const { orderId } of stale) {
    const handle = client.workflow.getHandle(orderId);
    await handle.terminate(
      'Temporal was restored to before what the order has behind it: the doctor takes it up from its row',
    );
  }
  const lost = await findLostOrders(context, await listOpenOrders(context.database), survey);
  const orders = new Map([...stale, ...lost].map((order) => [order.orderId, order]));
  // All are started before one is waited for: a worker that is away costs the wait once.
  const deadline = Date.now() + WAIT_MS;
  return Promise.all([...orders.values()].map((order) => recover(context, client, order, deadline)));
}

async function recover(context: Context, client: Client, order: ListedOrder, deadline: number): Promise<Finding> {
  const { orderId, customerId, status } = order;
  const { config } = context.settings;
  try {
    const handle = await client.workflow.start<(input: RecoverOrderInput) => Promise<OrderLifecycleResult>>(
      RECOVER_ORDER,
      {
        // The order's own id, so that Temporal runs no other workflow for the order meanwhile.
        workflowId: orderId,
        workflowIdConflictPolicy: 'FAIL',
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        taskQueue: taskQueues(config.temporal.taskQueuePrefix).orders,
        args: [{ orderId, policy: orderPolicy(config) }],
        typedSearchAttributes: new TypedSearchAttributes([
          { key: defineSearchAttributeKey(ORDER_STATUS_ATTRIBUTE, SearchAttributeType.KEYWORD), value: status },
          { key: defineSearchAttributeKey(CUSTOMER_ID_ATTRIBUTE, SearchAttributeType.KEYWORD), value: customerId },
        ]),
        staticSummary: `Order ${orderId}, recovered by the doctor`,
      },
    );
    const result = await client.withDeadline(deadline, () => handle.result());
    return ok(ABOUT, `Order ${orderId} was ${status}, and is now ${result.status}`);
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) {
      return ok(ABOUT, `Order ${orderId} has a workflow again`);
    }
    if (isGrpcDeadlineError(error)) {
      const fix = `\`npm run cli -- order show ${orderId}\` shows how it goes on.`;
      return warning(ABOUT, `Order ${orderId} has a workflow again, and has not ended yet`, fix, [orderId]);
    }
    const fix = 'See docs/operations.md, "An order is stuck".';
    const reason = reasonOf(error instanceof WorkflowFailedError ? rootCause(error.cause) : error);
    return problem(ABOUT, `Order ${orderId} could not be repaired: ${reason}`, fix, [orderId]);
  }
}

/** An order that never existed has no row, so nothing else will release its stock once its workflow is gone. */
async function releaseStrayStock(context: Context): Promise<Finding[]> {
  const findings: Finding[] = [];
  const stray = await listStrayStock(context.database);
  for (const held of stray.filter((candidate) => candidate.status === null && isOld(candidate))) {
    const workflow = await describeWorkflow(context, held.orderId);
    if (workflow.found === 'unknown' || (workflow.found && workflow.status === 'RUNNING')) continue;
    await giveBackStock(context.database, held);
    findings.push(
      ok(ABOUT, `${held.pieces} pieces were held for ${held.orderId}, which never became an order; they are released`),
    );
  }
  return findings;
}

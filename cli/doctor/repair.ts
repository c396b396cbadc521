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
import { giveBackStock } from '../../database/stock.ts';
import type { Context } from '../context.ts';
import { isBehind } from '../../api/order-health.ts';
import { orderPolicy } from '../../api/order-policy.ts';
import { reasonOf } from '../errors.ts';
import { describeWorkflow } from '../workflow-state.ts';
import { findLostOrders, listRunning, type LostOrder } from './check-orders.ts';
import { finishRefunds } from './check-refunds.ts';
import { isOld } from './check-stock.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

const ABOUT = 'Repair';
/** How long to wait for one order; its workflow goes on after that. */
const WAIT_MS = 20_000;

/** Recovers every order whose workflow is gone, and releases stock that is held for orders that never existed. */
export async function repair(context: Context): Promise<Finding[]> {
  const client = await context.temporal();
  const running = await listRunning(context, client);
  const lost = await findLostOrders(context, await listOpenOrders(context.database), new Set(running.keys()));
  const findings: Finding[] = [];
  for (const order of lost.filter((candidate) => !isBehind(candidate.workflow))) {
    findings.push(await recover(context, client, order));
  }
  findings.push(...(await finishRefunds(context)), ...(await releaseStrayStock(context)));
  return findings.length > 0 ? findings : [ok(ABOUT, 'there is nothing to repair')];
}

async function recover(context: Context, client: Client, order: LostOrder): Promise<Finding> {
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
    const result = await client.withDeadline(Date.now() + WAIT_MS, () => handle.result());
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

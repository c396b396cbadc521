import { partWorkflowId, refundWorkflowId } from '../../contracts/messages.ts';
import { listRefundsToFinish } from '../../database/order-checks.ts';
import { listPartsToFinish, type RefundRecord } from '../../database/refunds.ts';
import type { PartRefundRequest } from '../../domain/refund.ts';
import type { Context } from '../context.ts';
import { describeWorkflow } from '../workflow-state.ts';
import { attempt, type Finding, ok, problem } from './finding.ts';

const ABOUT = 'Refunds';

/** A refund that was requested, and how to continue it. */
type LostRefund = { readonly orderId: string; readonly goOn: () => Promise<{ readonly outcome: string }> };

/** Finds refunds that were requested, and that no workflow is carrying out. */
export async function checkRefunds(context: Context): Promise<readonly Finding[]> {
  return attempt(ABOUT, 'See the findings on PostgreSQL and Temporal.', async () => {
    const lost = await findLostRefunds(context);
    if (lost.length === 0) return [ok(ABOUT, 'all requested refunds are done or under way')];
    return lost.map(({ orderId }) =>
      problem(
        ABOUT,
        `The refund of order ${orderId} was requested, and no workflow is carrying it out`,
        '`npm run cli -- doctor --repair` continues it; what Stripe has accepted is not refunded twice.',
        [orderId],
      ),
    );
  });
}

/** Continues those refunds, as they were requested. */
export async function finishRefunds(context: Context): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { orderId, goOn } of await findLostRefunds(context)) {
    const { outcome } = await goOn();
    const state = outcome === 'ended' ? 'has ended' : 'is under way again';
    findings.push(ok('Repair', `The refund of order ${orderId} ${state}`));
  }
  return findings;
}

async function findLostRefunds(context: Context): Promise<LostRefund[]> {
  const { database, orderWorkflow } = context;
  const decided = [
    ...(await listRefundsToFinish(database)).map(({ orderId, refund }) => ({
      orderId,
      workflowId: refundWorkflowId(orderId),
      goOn: () => orderWorkflow.refund({ orderId, status: 'FINISHED' }, refund),
    })),
    ...(await listPartsToFinish(database)).map((part) => ({
      orderId: part.orderId,
      workflowId: partWorkflowId(part.orderId, part.refundId),
      goOn: () => orderWorkflow.refundPart(part.orderId, part.refundId, requestOf(part)),
    })),
  ];
  const lost: LostRefund[] = [];
  for (const { workflowId, ...refund } of decided) {
    const workflow = await describeWorkflow(context, workflowId);
    if (workflow.found === 'unknown') throw new Error(workflow.problem);
    if (!workflow.found || workflow.status !== 'RUNNING') lost.push(refund);
  }
  return lost;
}

function requestOf({ amountMinor, items, restock, reason, requestedBy }: RefundRecord): PartRefundRequest {
  const request = { restock, reason: reason ?? '', ...(requestedBy !== null && { operator: requestedBy }) };
  return items === null ? { ...request, amountMinor } : { ...request, items };
}

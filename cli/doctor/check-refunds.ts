import { refundWorkflowId } from '../../contracts/messages.ts';
import { listRefundsToFinish, type RefundToFinish } from '../../database/order-checks.ts';
import type { Context } from '../context.ts';
import { describeWorkflow } from '../workflow-state.ts';
import { attempt, type Finding, ok, problem } from './finding.ts';

const ABOUT = 'Refunds';

/** Finds refunds of finished orders that were decided on, and that no workflow is carrying out. */
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
  for (const { orderId, refund } of await findLostRefunds(context)) {
    const { outcome } = await context.orderWorkflow.refund({ orderId, status: 'FINISHED' }, refund);
    const state = outcome === 'ended' ? 'has ended' : 'is under way again';
    findings.push(ok('Repair', `The refund of order ${orderId} ${state}`));
  }
  return findings;
}

async function findLostRefunds(context: Context): Promise<RefundToFinish[]> {
  const lost: RefundToFinish[] = [];
  for (const refund of await listRefundsToFinish(context.database)) {
    const workflow = await describeWorkflow(context, refundWorkflowId(refund.orderId));
    if (workflow.found === 'unknown') throw new Error(workflow.problem);
    if (!workflow.found || workflow.status !== 'RUNNING') lost.push(refund);
  }
  return lost;
}

import { refundWorkflowId } from '../../contracts/messages.ts';
import { listRefundsToFinish, type RefundToFinish } from '../../database/order-checks.ts';
import type { Context } from '../context.ts';
import { describeWorkflow } from '../workflow-state.ts';
import { attempt, type Finding, ok, problem } from './finding.ts';

const ABOUT = 'Refunds';

/** Refunds of finished orders that were decided on, and that no workflow carries out any more. */
export async function checkRefunds(context: Context): Promise<readonly Finding[]> {
  return attempt(ABOUT, 'See what is said of PostgreSQL and Temporal.', async () => {
    const lost = await findLostRefunds(context);
    if (lost.length === 0) return [ok(ABOUT, 'all refunds that were decided on are done or under way')];
    return lost.map(({ orderId }) =>
      problem(
        ABOUT,
        `The refund of order ${orderId} was decided on, and nothing carries it out`,
        '`npm run cli -- doctor --repair` goes on with it; what Stripe has accepted is not refunded twice.',
        [orderId],
      ),
    );
  });
}

/** Goes on with those refunds, as they were decided on. */
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

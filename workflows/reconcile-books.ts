import {
  continueAsNew,
  getExternalWorkflowHandle,
  log,
  sleep,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type { ReconcileBooksInput, ReconcileBooksResult } from '../contracts/messages.ts';
import { addBalances, describeDifference, type Difference, isLastLook } from '../domain/books.ts';
import { RECONCILIATION, type StripeEvent } from '../domain/stripe-event.ts';
import { connectActivities } from './shared/activities.ts';
import { alarm } from './shared/report.ts';
import { stripeEventSignal } from './shared/stripe-event-signal.ts';
import { tellAftercare } from './shared/tell-aftercare.ts';

/** A page on which all differs adds some 600 events. */
const LONG_HISTORY_EVENTS = 300;
/** Who was told of a difference takes a few seconds to act on it; each pause is twice as long as the one before. */
const FIRST_PAUSE_MS = 5_000;

/**
 * Compares the rows with Stripe, page by page: charges, refunds and disputes since the last complete comparison, and
 * payments that were not settled then. What differs is told to the order, or to the aftercare of its payment, as the
 * webhook would have told it. Then it looks again, and calls a person for what still differs.
 *
 * How far it is stands in PostgreSQL, so a run that is lost is gone on with by the next one.
 */
export async function reconcileBooks(input: ReconcileBooksInput = {}): Promise<ReconcileBooksResult> {
  const { books, reconciliation } = connectActivities();
  const run = await reconciliation.openReconciliation.executeWithOptions({ summary: 'Begin, or go on' }, [input]);
  const { reconciliationId, startedAtMs, lookedFromMs, stripeRetryMaxMs } = run;
  let { position, balance } = run;
  for (;;) {
    const { list, looks } = position;
    if (list === 'differing' && position.after === null) {
      await sleep(FIRST_PAUSE_MS * 2 ** (looks - 1), { summary: 'Before what differs is looked at again' });
    }
    const summary = `${list}${looks > 0 ? `, look ${looks}` : ''}`;
    const look = await books.lookAtBooks.executeWithOptions({ summary }, [{ position, startedAtMs, lookedFromMs }]);
    if (list !== 'differing') {
      await Promise.all(look.differences.map((difference) => tell(difference, startedAtMs, stripeRetryMaxMs)));
    }
    balance = addBalances(balance, look.balance);
    const found = { reconciliationId, position, look, balance };
    const recorded = await reconciliation.recordBookLook.executeWithOptions({ summary }, [found]);
    if (isLastLook(position)) await callOperator(look.differences);
    if (recorded.position === undefined) return { differing: recorded.differing };
    position = recorded.position;
    if (workflowInfo().historyLength > LONG_HISTORY_EVENTS) await continueAsNew<typeof reconcileBooks>({});
  }

  async function callOperator(differences: readonly Difference[]): Promise<void> {
    const ids = differences.map(({ paymentIntentId }) => paymentIntentId);
    for (const difference of await reconciliation.markDifferencesTold(ids)) {
      const { orderId, paymentIntentId } = difference;
      alarm(`the books differ. ${describeDifference(difference)}`, { orderId, paymentIntentId });
    }
  }
}

/** Has the order look at its payment, or the payment's aftercare if the order has ended. */
async function tell(difference: Difference, startedAtMs: number, stripeRetryMaxMs: number): Promise<void> {
  const { orderId, paymentIntentId, status } = difference;
  // Nobody looks after an order that does not exist.
  if (status === null) return;
  log.warn(`The books differ. ${describeDifference(difference)}`, { orderId, paymentIntentId });
  const event: StripeEvent = {
    // Told again by a run that goes on after a crash, it is the same; the next comparison tells anew.
    eventId: `${RECONCILIATION}:${paymentIntentId}:${startedAtMs}`,
    type: RECONCILIATION,
    createdMs: Date.now(),
    paymentIntentId,
    about: 'charge',
  };
  try {
    await getExternalWorkflowHandle(orderId).signal(stripeEventSignal, event);
    return;
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
  }
  await tellAftercare(paymentIntentId, { orderId, event, stripeRetryMaxMs });
}

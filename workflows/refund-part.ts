import { CancellationScope, continueAsNew, log, sleep } from '@temporalio/workflow';
import type { RefundPartInput, RefundPartResult } from '../contracts/messages.ts';
import { isRefundBlocked, keptOf, notesOn, wayBackOf } from '../domain/charge.ts';
import { formatMoney } from '../domain/money.ts';
import { must } from '../domain/must.ts';
import { canRefundPart } from '../domain/refund.ts';
import { noteRefundDelayed } from './order/describe.ts';
import { connectActivities } from './shared/activities.ts';
import { recordNote } from './shared/record-note.ts';
import { hasLongHistory, untilAccepted } from './shared/refund.ts';
import { alarm, reportEvent } from './shared/report.ts';

/**
 * Refunds a part of an order's payment for an operator: an amount, or pieces of its lines, before the order's end or after
 * it. The workflow id is `refund-<order id>-<refund id>`. Before Stripe is asked, the refund is a row, which keeps so much
 * of the payment for it; so several parts can be on their way at once. The order's own workflow has no part in it: what it
 * ships and what is left of its money stand in the rows.
 */
export async function refundPart(input: RefundPartInput): Promise<RefundPartResult> {
  // Temporal's Cancel does not tear it: half a refund helps nobody.
  return CancellationScope.nonCancellable(() => refund(input));
}

async function refund(input: RefundPartInput): Promise<RefundPartResult> {
  const { orderId, refundId, request } = input;
  const { orders, payment } = connectActivities();
  const order = await orders.readOrder.executeWithOptions({ summary: 'Read the order' }, [orderId]);
  const stored = must(order, `order ${orderId}`);
  const { status, paymentIntentId } = stored;
  if (!canRefundPart(status) || paymentIntentId === null) {
    return { outcome: 'refused', refusal: { reason: 'notRefundable', status } };
  }
  const charge = await payment.readCharge.executeWithOptions({ summary: 'Read the charge' }, [paymentIntentId]);
  if (isRefundBlocked(charge) && wayBackOf(charge) === undefined && input.refundAttempts === undefined) {
    return { outcome: 'disputed' };
  }
  // What somebody did at Stripe and nobody has told us of yet; it is what leaves less than was thought.
  for (const note of notesOn(charge)) await recordNote({ orders }, stored, note, { charge });
  const opened = await orders.openPart.executeWithOptions({ summary: 'Write the refund down' }, [
    { orderId, refundId, request, charge },
  ]);
  if (opened.outcome !== 'open') return opened;
  if (opened.state !== 'asked') return { outcome: opened.state === 'accepted' ? 'refunded' : 'failed' };

  const { amountMinor } = opened;
  const made = await untilAccepted(
    {
      orderId,
      paymentIntentId,
      longestPauseMs: input.stripeRetryMaxMs,
      attempts: input.refundAttempts,
      onRefused: async (refundAttempts, why) => {
        if (refundAttempts === 1) await recordNote({ orders }, stored, noteRefundDelayed(refundId, why));
        if (hasLongHistory()) await continueAsNew<typeof refundPart>({ ...input, refundAttempts });
        return 'later';
      },
      pause: (forMs) => sleep(forMs, { summary: 'Before Stripe is asked again' }),
    },
    (generation) =>
      payment.refundPart.executeWithOptions({ summary: 'Refund a part of the payment' }, [
        { orderId, paymentIntentId, refundId, amountMinor, generation },
      ]),
  );
  if (made.outcome === 'tooLittleLeft') {
    const { currency } = made.charge;
    const [wanted, left] = [amountMinor, keptOf(made.charge)].map((minor) =>
      formatMoney({ amountMinor: minor, currency }),
    );
    const why = `only ${left} of the payment were left at Stripe`;
    alarm(`a refund of ${wanted} was not made: ${why}`, { orderId, refundId });
    const detail = `The refund of ${wanted} was not made: ${why}.`;
    await orders.failPart.executeWithOptions({ summary: 'The refund is not made' }, [
      { orderId, refundId, why, detail },
    ]);
    return { outcome: 'failed' };
  }
  const settled = await orders.settlePart.executeWithOptions({ summary: 'Write the refund down as made' }, [
    { orderId, refundId, charge: made.charge },
  ]);
  reportEvent(orderId, 'payment.refunded', settled.status);
  log.info('A part of the payment was refunded', { orderId, refundId, state: settled.state });
  return { outcome: settled.state === 'accepted' ? 'refunded' : 'failed' };
}

import { CancellationScope, condition, continueAsNew, log, patched, setHandler, sleep } from '@temporalio/workflow';
import type { StoredOrder } from '../activities/orders.ts';
import { TIMELINE_CONFLICT } from '../contracts/failures.ts';
import type { PaymentAftercareInput } from '../contracts/messages.ts';
import { decideAftercare, noteReconciled, noteReturned, paymentToLookAt } from '../domain/aftercare.ts';
import type { Charge } from '../domain/charge.ts';
import { RECONCILIATION, type StripeEvent } from '../domain/stripe-event.ts';
import { noteRefundDelayed } from './order/describe.ts';
import { type Activities, connectActivities } from './shared/activities.ts';
import { failedWith } from './shared/failed-with.ts';
import { recordNote } from './shared/record-note.ts';
import { hasLongHistory, pauseAfter, recordRefundAfterTheEnd, refundPayment } from './shared/refund.ts';
import { alarm } from './shared/report.ts';
import { stripeEventSignal } from './shared/stripe-event-signal.ts';

/** Stripe delivers an event for so long; who gave us the key of another account has noticed by then. */
const UNKNOWN_FOR_MS = 3 * 24 * 3_600_000;
/** Runs from before it retry the reading of a payment that Stripe does not know without an end. */
const ENDS_IF_UNKNOWN = 'ends-if-stripe-does-not-know-the-payment';

/**
 * Handles what happens to one payment after its order has moved on: refunds a payment that the order does not need,
 * writes refunds, disputes, reviews and fraud warnings to the order's timeline, and makes a FINISHED order REFUNDED
 * once all of its money has gone back. The workflow id is `payment-<payment intent>`, so only one run handles a payment
 * at a time; later events come as signals. It decides from what Stripe and the row say, so events may come twice or in
 * any order.
 */
export async function paymentAftercare(input: PaymentAftercareInput): Promise<void> {
  const pending: StripeEvent[] = [];
  setHandler(stripeEventSignal, (event) => {
    if (event.eventId !== input.event.eventId) pending.push(event);
  });
  // A cancellation through Temporal does not interrupt it: half a refund helps nobody.
  await CancellationScope.nonCancellable(async () => {
    for (let event: StripeEvent | undefined = input.event; event !== undefined; event = pending.shift()) {
      try {
        await new Aftercare(input, pending).handle(event);
      } catch (error) {
        if (!failedWith(error, TIMELINE_CONFLICT)) throw error;
        log.warn('The order is no longer as it was read. The comparison of the books tells of the payment', { error });
      }
    }
  });
}

class Aftercare {
  readonly #input: PaymentAftercareInput;
  readonly #pending: readonly StripeEvent[];
  readonly #activities: Activities = connectActivities();

  constructor(input: PaymentAftercareInput, pending: readonly StripeEvent[]) {
    this.#input = input;
    this.#pending = pending;
  }

  async handle(event: StripeEvent): Promise<void> {
    const { orders } = this.#activities;
    const { orderId } = this.#input;
    const readOrder = () => orders.readOrder.executeWithOptions({ summary: 'Read the order' }, [orderId]);
    const before = await readOrder();
    if (before === null) {
      log.warn('An event names an order that does not exist', { orderId, eventId: event.eventId });
      return;
    }
    const paymentIntentId = paymentToLookAt(before, event);
    if (paymentIntentId === undefined) return;
    const charge = await this.#readCharge(paymentIntentId);
    if (charge === null) return;
    // Read again, after the charge: a refund of ours is recorded before it is made, and may be the one in the charge.
    const order = await readOrder();
    if (order === null) {
      log.warn('The order is gone: PostgreSQL was restored. The comparison of the books tells of the payment', {
        orderId,
      });
      return;
    }
    const { notes, action } = decideAftercare(
      { ...order, refundIsRequested: order.requestedRefund !== null },
      event,
      charge,
    );
    for (const note of notes) await recordNote(this.#activities, order, note, { charge });
    const isAllTold = notes.every(({ source }) => order.sources.includes(source));
    if (
      event.type === RECONCILIATION &&
      isAllTold &&
      action.do === 'nothing' &&
      paymentIntentId === order.paymentIntentId
    ) {
      // The rows differ from Stripe all the same, and they follow the charge of an entry.
      await recordNote(this.#activities, order, noteReconciled(event), { charge });
    }
    if (action.do === 'return') await this.#return(order, event, charge);
    if (action.do === 'refunded') {
      await recordRefundAfterTheEnd(this.#activities, orderId, action.detail, { charge });
    }
  }

  /** Returns null if Stripe has not known the payment for days. */
  async #readCharge(paymentIntentId: string): Promise<Charge | null> {
    const { payment } = this.#activities;
    const { orderId, stripeRetryMaxMs } = this.#input;
    const summary = 'Read the charge';
    if (!patched(ENDS_IF_UNKNOWN)) return payment.readCharge.executeWithOptions({ summary }, [paymentIntentId]);
    const beganAtMs = Date.now();
    for (let attempt = 1; ; attempt += 1) {
      const charge = await payment.findCharge.executeWithOptions({ summary }, [paymentIntentId]);
      if (charge !== null) return charge;
      const details = { orderId, paymentIntentId };
      // The event was signed with our secret, so key and secret are of two accounts, or test data were deleted.
      if (attempt === 1) alarm('Stripe does not know this payment; is STRIPE_KEY of another account?', details);
      if (Date.now() - beganAtMs > UNKNOWN_FOR_MS) {
        log.error('Stripe still does not know this payment; it is no longer asked', details);
        return null;
      }
      await sleep(pauseAfter(attempt, stripeRetryMaxMs), { summary: 'Before Stripe is asked again' });
    }
  }

  /** Refunds a payment that the order does not need. */
  async #return(order: StoredOrder, event: StripeEvent, charge: Charge): Promise<void> {
    const { orderId } = order;
    const { paymentIntentId } = charge;
    log.warn('The order does not need this payment; it is being refunded', { orderId, paymentIntentId });
    let known = this.#pending.length;
    const { wayBack, charge: refunded = charge } = await refundPayment(this.#activities, {
      orderId,
      paymentIntentId,
      longestPauseMs: this.#input.stripeRetryMaxMs,
      attempts: this.#input.refundAttempts,
      onRefused: async (attempts, why) => {
        if (attempts === 1) await recordNote(this.#activities, order, noteRefundDelayed(paymentIntentId, why));
        // Events that have come meanwhile are about this payment, and the next run begins by reading it.
        if (hasLongHistory()) {
          await continueAsNew<typeof paymentAftercare>({ ...this.#input, event, refundAttempts: attempts });
        }
        const isNews = this.#pending.length > known;
        known = this.#pending.length;
        return isNews ? 'now' : 'later';
      },
      pause: (forMs) =>
        condition(() => this.#pending.length > known, forMs, { summary: 'Before Stripe is asked again' }),
    });
    await recordNote(this.#activities, order, noteReturned(charge, wayBack), { charge: refunded });
  }
}

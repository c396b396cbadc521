import { log, sleep, workflowInfo } from '@temporalio/workflow';
import { PAYMENT_DISPUTED, REFUND_REFUSED, STRIPE_KEPT_FAILURE } from '../../contracts/failures.ts';
import type { OrderChanges, RefundPaymentResult } from '../../contracts/messages.ts';
import type { Charge } from '../../domain/charge.ts';
import { transitionEvent } from '../../domain/order-status.ts';
import type { Activities } from './activities.ts';
import { failedWith } from './failed-with.ts';
import { alarm, reportEvent } from './report.ts';

const FIRST_PAUSE_MS = 1_000;

/**
 * A history of this many events is continued in a new run: Temporal ends a workflow at 51,200, and replays grow slow.
 */
const LONG_HISTORY_EVENTS = 500;

/** Whether the workflow should continue as a new run as soon as nothing is under way. */
export function hasLongHistory(): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || historyLength >= LONG_HISTORY_EVENTS;
}

/**
 * Returns the pause after an attempt, in ms: one second after the first, then twice as long each time, up to the
 * longest.
 */
export function pauseAfter(attempts: number, longestMs: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** Math.min(attempts - 1, 30), longestMs);
}

/**
 * Calls Stripe with a new idempotency key each time Stripe has stored a failure under the last one. Safe, because
 * nobody has seen what was created under the old key.
 *
 * @param giveUpAfterMs after this long, the last failure is thrown
 */
export async function retryUnderNewKeys<T>(
  call: (generation: number, elapsedMs: number) => Promise<T>,
  { giveUpAfterMs }: { readonly giveUpAfterMs: number },
): Promise<T> {
  const startMs = Date.now();
  for (let generation = 1; ; generation += 1) {
    try {
      return await call(generation, Date.now() - startMs);
    } catch (error) {
      if (!failedWith(error, STRIPE_KEPT_FAILURE) || Date.now() - startMs > giveUpAfterMs) throw error;
      log.warn('Stripe has stored a failure under this idempotency key; another one is used', { generation });
    }
    await sleep(pauseAfter(generation, 300_000), { summary: 'Before the next key' });
  }
}

type RefundOptions = {
  readonly orderId: string;
  readonly paymentIntentId: string;
  /** The longest pause between two attempts, in ms. */
  readonly longestPauseMs: number;
  /** How many attempts earlier runs have made. */
  readonly attempts?: number | undefined;
  /** Waits `forMs`, or less if something comes in that may change Stripe's answer. */
  readonly pause: (forMs: number) => Promise<unknown>;
  /**
   * Called before each pause with the number of attempts so far; may continue the workflow as new, once it is long.
   *
   * @returns `now` to ask again at once, since something has come in meanwhile, or `later` to pause first
   */
  readonly onRefused: (attempts: number, why: 'refused' | 'disputed') => Promise<'now' | 'later'>;
};

/**
 * Refunds all that is left of a payment, however long Stripe takes to accept it.
 *
 * @returns how the money went back; it may have gone back before, or with a lost dispute
 * @throws as {@link untilAccepted}
 */
export async function refundPayment(
  { payment }: Pick<Activities, 'payment'>,
  options: RefundOptions,
): Promise<RefundPaymentResult> {
  const { orderId, paymentIntentId } = options;
  return untilAccepted(options, (generation) =>
    payment.refundPayment.executeWithOptions({ summary: 'Refund the payment' }, [
      { orderId, paymentIntentId, generation },
    ]),
  );
}

/**
 * Asks Stripe for a refund until it accepts: a balance that is too low, or a dispute that the bank has not decided, may
 * take weeks. Pauses grow to hours.
 *
 * @param ask asks under the idempotency key of this generation
 * @throws every failure but `PaymentDisputed`, `RefundRefused` and `StripeKeptFailure`, which are tried again
 */
export async function untilAccepted<T>(
  { orderId, paymentIntentId, longestPauseMs, attempts = 0, pause, onRefused }: RefundOptions,
  ask: (generation: number) => Promise<T>,
): Promise<T> {
  // An earlier run has raised the alarm.
  let isTold = attempts > 0;
  for (let attempt = attempts + 1; ; attempt += 1) {
    let again: 'now' | 'later' = 'later';
    try {
      return await ask(attempt);
    } catch (error) {
      const disputed = failedWith(error, PAYMENT_DISPUTED);
      const refused = failedWith(error, REFUND_REFUSED);
      if (!disputed && !refused && !failedWith(error, STRIPE_KEPT_FAILURE)) throw error;
      const problem = disputed
        ? 'the payment is disputed, so it can only be refunded once the bank has decided'
        : refused
          ? 'Stripe refuses to refund the payment; the refund is retried until Stripe accepts it'
          : 'Stripe has stored a failure under this idempotency key; the refund is retried under another one';
      // Once: the order's timeline shows that it lasts.
      if (!isTold && (disputed || refused)) alarm(problem, { orderId, paymentIntentId, error });
      else log.warn(problem, { orderId, paymentIntentId, attempt });
      isTold ||= disputed || refused;
      again = await onRefused(attempt, disputed ? 'disputed' : 'refused');
    }
    if (again === 'later') await pause(pauseAfter(attempt, longestPauseMs));
  }
}

/** What changes on the order's rows once all of its money has gone back; with the charge, if it is known. */
export function nothingKept(charge?: Charge): OrderChanges {
  return { kept: { amountMinor: 0, asOfMs: Date.now() }, ...(charge !== undefined && { charge }) };
}

/** Makes a FINISHED order REFUNDED: all of its money has gone back. For the workflows that run after its end. */
export async function recordRefundAfterTheEnd(
  { orders }: Pick<Activities, 'orders'>,
  orderId: string,
  detail: string,
  changes: OrderChanges,
): Promise<void> {
  const event = transitionEvent('REFUNDED');
  await orders.recordTimelineEntry.executeWithOptions({ summary: event }, [
    { orderId, source: event, event, detail, transition: { from: 'FINISHED', to: 'REFUNDED' }, changes },
  ]);
  reportEvent(orderId, event, 'REFUNDED');
}

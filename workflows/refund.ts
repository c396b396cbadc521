import { log, sleep } from '@temporalio/workflow';
import { PAYMENT_DISPUTED, STRIPE_KEPT_FAILURE } from '../contracts/failures.ts';
import type { Activities } from './activities.ts';
import { alarm } from './events.ts';
import { failedWith } from './failed-with.ts';

/** The pause before the next key doubles from this, so that hours of failures stay a short history. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 300_000;

/**
 * Calls Stripe under a new idempotency key each time that Stripe keeps a failure under the last one. Safe, because what
 * was made under the old key was never shown to anybody, and a payment is given back in full once.
 *
 * @param options `giveUpAfterMs`: the last failure is thrown once so long has passed; without it, it goes on
 */
export async function withGenerations<T>(
  call: (generation: number, elapsedMs: number) => Promise<T>,
  { giveUpAfterMs = Infinity } = {},
): Promise<T> {
  const startMs = Date.now();
  for (let generation = 1; ; generation += 1) {
    try {
      return await call(generation, Date.now() - startMs);
    } catch (error) {
      if (!failedWith(error, STRIPE_KEPT_FAILURE) || Date.now() - startMs > giveUpAfterMs) throw error;
      log.warn('Stripe keeps a failure under this idempotency key; another one is used', { generation });
    }
    await sleep(Math.min(FIRST_PAUSE_MS * 2 ** (generation - 1), LONGEST_PAUSE_MS), { summary: 'Before the next key' });
  }
}

/**
 * Gives a payment back in full, however long Stripe takes to accept it.
 *
 * @returns `disputed` where Stripe refunds nothing, because the bank has not decided a dispute yet
 */
export async function refundPayment(
  { payment }: Pick<Activities, 'payment'>,
  target: { readonly orderId: string; readonly paymentIntentId: string },
): Promise<'refunded' | 'disputed'> {
  try {
    await withGenerations((generation) =>
      payment.refundPayment.executeWithOptions({ summary: 'Refund the payment' }, [{ ...target, generation }]),
    );
    return 'refunded';
  } catch (error) {
    if (failedWith(error, PAYMENT_DISPUTED)) return 'disputed';
    throw error;
  }
}

/** How long to wait before Stripe is asked again whether a disputed payment can be given back. */
const DISPUTE_CHECK_INTERVAL_MS = 3_600_000;

/**
 * Gives a payment back in full, where it is disputed once the bank has decided: a lost dispute has given it back, and a
 * payment that was won is refunded.
 *
 * @param news waits for so many milliseconds, or less where something has come that may change the answer
 */
export async function refundPaymentAfterDisputes(
  activities: Pick<Activities, 'payment'>,
  target: { readonly orderId: string; readonly paymentIntentId: string },
  news: (forMs: number) => Promise<unknown>,
): Promise<void> {
  if ((await refundPayment(activities, target)) === 'refunded') return;
  alarm('the payment is disputed, so it can only be given back once the bank has decided', target);
  do await news(DISPUTE_CHECK_INTERVAL_MS);
  while ((await refundPayment(activities, target)) === 'disputed');
}

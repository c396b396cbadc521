import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';
import { STRIPE_KEPT_FAILURE } from '../contracts/failures.ts';
import type { Activities } from './activities.ts';

/** Whether an activity failed for good with this type of failure. */
export function failedWith(error: unknown, type: string): error is ActivityFailure {
  return error instanceof ActivityFailure && error.cause instanceof ApplicationFailure && error.cause.type === type;
}

/**
 * Calls Stripe under a new idempotency key each time that Stripe keeps a failure of its own under the last one. Safe,
 * because what was made under the old key was never shown to anybody.
 */
export async function withGenerations<T>(call: (generation: number) => Promise<T>): Promise<T> {
  for (let generation = 1; ; generation += 1) {
    try {
      return await call(generation);
    } catch (error) {
      if (!failedWith(error, STRIPE_KEPT_FAILURE)) throw error;
    }
  }
}

/** Gives a payment back in full, however long Stripe takes to accept it. */
export async function refundPayment(
  { payment }: Pick<Activities, 'payment'>,
  target: { readonly orderId: string; readonly paymentIntentId: string },
): Promise<void> {
  await withGenerations((generation) =>
    payment.refundPayment.executeWithOptions({ summary: 'Refund the payment' }, [{ ...target, generation }]),
  );
}

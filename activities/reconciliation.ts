import type { ReconcileBooksInput } from '../contracts/messages.ts';
import type { Database } from '../database/database.ts';
import {
  markDifferencesTold,
  openReconciliationOf,
  type OpenReconciliation,
  recordBookLook,
} from '../database/reconciliations.ts';
import { type Balance, type BookPosition, type Difference, nextPosition } from '../domain/books.ts';
import type { LookAtBooksResult } from './books.ts';

export type ReconciliationActivities = ReturnType<typeof createReconciliationActivities>;

type Dependencies = {
  readonly database: Database;
  /** The longest pause before Stripe is asked again about a refund that it refuses, in ms. */
  readonly stripeRetryMaxMs: number;
};

/** How far the comparison with Stripe is, for the task queue `orders`. */
export function createReconciliationActivities({ database, stripeRetryMaxMs }: Dependencies) {
  return {
    /** Goes on with the comparison that is unfinished, or begins one; with what has to be known to heal what differs. */
    async openReconciliation({
      lookFromMs,
    }: ReconcileBooksInput): Promise<OpenReconciliation & { readonly stripeRetryMaxMs: number }> {
      return { ...(await openReconciliationOf(database, lookFromMs)), stripeRetryMaxMs };
    },

    /** Writes down what a page has found, and where it goes on. */
    async recordBookLook(found: {
      readonly reconciliationId: number;
      readonly position: BookPosition;
      readonly look: LookAtBooksResult;
      /** The sums so far, those of this page included. */
      readonly balance: Balance;
    }): ReturnType<typeof recordBookLook> {
      const { position, look } = found;
      const next = (differing: number) => nextPosition(position, { after: look.after, differing });
      return recordBookLook(database, { ...found, next });
    },

    /** Marks what differs as told to a person. Returns those of which nobody was told before. */
    async markDifferencesTold(paymentIntentIds: readonly string[]): Promise<Difference[]> {
      return markDifferencesTold(database, paymentIntentIds);
    },
  };
}

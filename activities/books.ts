import type { Stripe } from 'stripe';
import { findBookedOrders } from '../database/booked-orders.ts';
import type { Database } from '../database/database.ts';
import { type BookLook, listUnsettledPayments, type UnsettledPayment } from '../database/reconciliations.ts';
import {
  addTo,
  type Balance,
  type BookedOrder,
  type BookPosition,
  compare,
  type Comparison,
  type Difference,
  EMPTY_BALANCE,
  isFinal,
  isLastLook,
} from '../domain/books.ts';
import type { Charge } from '../domain/charge.ts';
import { must } from '../domain/must.ts';
import { isOrderId } from '../domain/order-id.ts';
import { findCharge, readDisputes, toRefund } from './stripe-charge.ts';

export type BooksActivities = ReturnType<typeof createBooksActivities>;

/**
 * Half of Stripe's largest page. If all of a page differs, telling it adds up to a dozen events for each entry to the
 * workflow's history, which has to stay below 1,000.
 */
const PAGE = 50;
/** Each of these costs a request or more of its own, and a page has to be done within one activity. */
const SMALL_PAGE = 20;
/** A refund that Stripe has accepted can still fail within a month (https://docs.stripe.com/refunds#failed-refunds). */
const REFUNDS_MAY_FAIL_MS = 30 * 24 * 3_600_000;

export type LookAtBooksInput = {
  readonly position: BookPosition;
  /** When the comparison began, and from when on it looks at what was made at Stripe; in ms since 1970. */
  readonly startedAtMs: number;
  readonly lookedFromMs: number;
};

export type LookAtBooksResult = BookLook & {
  /** The sums of this page. */
  readonly balance: Balance;
  /** The last entry of this page, if there are more. */
  readonly after: string | null;
};

/**
 * The comparison of the rows with Stripe, for the task queue `payment`. It changes nothing. One page at a time, and within
 * it one request after the other, so that Stripe's limits are kept beside the orders' own calls.
 */
export function createBooksActivities({ stripe, database }: { readonly stripe: Stripe; readonly database: Database }) {
  /** Compares charges that were read at Stripe, all in one statement. */
  async function compareAll(charges: readonly Charge[]): Promise<Compared> {
    const orders = await findBookedOrders(database, {
      orderIds: charges.flatMap(({ orderId }) => orderId ?? []),
      paymentIntentIds: charges.map(({ paymentIntentId }) => paymentIntentId),
    });
    const byId = new Map<string | null, BookedOrder>(orders.map((order) => [order.orderId, order]));
    const byPayment = new Map<string | null, BookedOrder>(orders.map((order) => [order.paymentIntentId, order]));
    return charges.map((charge) => {
      const order = byId.get(charge.orderId) ?? byPayment.get(charge.paymentIntentId);
      return [charge, compare(charge, order)] as const;
    });
  }

  /** Completes a charge of a list with its disputes, which Stripe lists apart. */
  async function toCharge(charge: Stripe.Charge, refunds: readonly Stripe.Refund[]): Promise<Charge> {
    const orderId = charge.metadata['order_id'];
    return {
      paymentIntentId: must(idOf(charge.payment_intent), `the payment intent of charge ${charge.id}`),
      orderId: isOrderId(orderId) ? orderId : null,
      amountMinor: charge.amount_captured,
      currency: charge.currency.toUpperCase(),
      refundedMinor: charge.amount_refunded,
      refunds: refunds.map(toRefund),
      disputes: charge.disputed ? await readDisputes(stripe, { charge: charge.id }) : [],
      review: null,
      fraudWarnings: [],
      readAtMs: Date.now(),
    };
  }

  /** Lists charges. Those of other sales count too, and those that took no money do not. */
  async function lookAtCharges({ position, lookedFromMs }: LookAtBooksInput): Promise<LookAtBooksResult> {
    const page = await stripe.charges.list(pageOf(position.after, lookedFromMs, PAGE));
    const paid = page.data.filter((charge) => charge.status === 'succeeded' && charge.payment_intent !== null);
    const compared = await compareAll(await inTurn(paid, (charge) => toCharge(charge, [])));
    const look = toLook(compared);
    // What differs is counted once it has been looked at again.
    const agreeing = compared.filter(([, { is }]) => is !== 'different');
    // Their bank has not paid yet; once it has, they are older than the next comparison looks back.
    const pending = page.data.filter(({ status, metadata }) => status === 'pending' && isOrderId(metadata['order_id']));
    return {
      ...look,
      undecided: [...look.undecided, ...pending.flatMap((charge) => idOf(charge.payment_intent) ?? [])],
      uncounted: idsOf(look.differences),
      isPartial: true,
      balance: sumOf(agreeing),
      after: lastOf(page),
    };
  }

  /** Lists what happened to charges, which may be older than those that are listed themselves. */
  async function lookAtChanges(
    page: Stripe.ApiList<Stripe.Refund> | Stripe.ApiList<Stripe.Dispute>,
  ): Promise<LookAtBooksResult> {
    const charges = new Map<string, { readonly charge: Stripe.Charge; readonly refunds: Stripe.Refund[] }>();
    for (const change of page.data) {
      const { charge } = change;
      if (typeof charge !== 'object' || charge === null || charge.payment_intent === null) continue;
      const known = charges.get(charge.id) ?? { charge, refunds: [] };
      charges.set(charge.id, known);
      if (change.object === 'refund') known.refunds.push(change);
    }
    const compared = await compareAll(
      await inTurn([...charges.values()], ({ charge, refunds }) => toCharge(charge, refunds)),
    );
    return { ...toLook(compared), uncounted: [], isPartial: true, balance: EMPTY_BALANCE, after: lastOf(page) };
  }

  /**
   * Looks at payments that are known by their ids, with all that Stripe knows of them.
   *
   * @param isLast whether what differs now is in the sums as it is
   */
  async function lookAtPayments(
    payments: readonly UnsettledPayment[],
    { isLast }: { readonly isLast: boolean },
  ): Promise<BookLook & Pick<LookAtBooksResult, 'balance'>> {
    const uncounted = new Set(
      payments.filter(({ isUncounted }) => isUncounted).map(({ paymentIntentId }) => paymentIntentId),
    );
    const found = await inTurn(
      payments,
      async ({ paymentIntentId: id }) => [id, await findCharge(stripe, id)] as const,
    );
    const compared = await compareAll(found.flatMap(([, charge]) => (typeof charge === 'string' ? [] : [charge])));
    const { differences, ...look } = toLook(compared);
    const undecided = [...look.undecided, ...found.filter(([, charge]) => charge === 'pending').map(([id]) => id)];
    const open = new Set([...undecided, ...idsOf(differences)]);
    return {
      differences,
      undecided,
      settled: found.map(([id]) => id).filter((id) => !open.has(id)),
      uncounted: isLast ? [] : idsOf(differences).filter((id) => uncounted.has(id)),
      isPartial: false,
      balance: sumOf(
        compared.filter(
          ([{ paymentIntentId }, { is }]) => uncounted.has(paymentIntentId) && (isLast || is !== 'different'),
        ),
      ),
    };
  }

  return {
    lookAtPayments,

    /** Compares one page of a list with the rows. */
    async lookAtBooks(input: LookAtBooksInput): Promise<LookAtBooksResult> {
      const { position, startedAtMs, lookedFromMs } = input;
      const { list, after } = position;
      const expand = ['data.charge'];
      switch (list) {
        case 'charges':
          return lookAtCharges(input);
        case 'refunds': {
          const fromMs = Math.min(lookedFromMs, startedAtMs - REFUNDS_MAY_FAIL_MS);
          return lookAtChanges(await stripe.refunds.list({ ...pageOf(after, fromMs, PAGE), expand }));
        }
        case 'disputes':
          return lookAtChanges(await stripe.disputes.list({ ...pageOf(after, lookedFromMs, SMALL_PAGE), expand }));
        case 'unsettled':
        case 'differing': {
          const filter = list === 'differing' ? { differing: true } : { lookedBeforeMs: startedAtMs };
          const payments = await listUnsettledPayments(database, { after, limit: SMALL_PAGE, ...filter });
          const last = payments.length === SMALL_PAGE ? must(payments.at(-1), 'the last of a full page') : null;
          const look = await lookAtPayments(payments, { isLast: isLastLook(position) });
          return { ...look, after: last?.paymentIntentId ?? null };
        }
      }
    },
  };
}

function pageOf(after: string | null, fromMs: number, limit: number) {
  const created = { gte: Math.floor(fromMs / 1000) };
  return { created, limit, ...(after !== null && { starting_after: after }) };
}

function lastOf(page: { readonly data: readonly { readonly id: string }[]; readonly has_more: boolean }) {
  return page.has_more ? must(page.data.at(-1)?.id, 'the last entry of a page before another one') : null;
}

function idOf(reference: string | { readonly id: string } | null): string | null {
  return typeof reference === 'object' && reference !== null ? reference.id : reference;
}

type Compared = readonly (readonly [Charge, Comparison])[];

function toLook(compared: Compared): Pick<BookLook, 'differences' | 'undecided' | 'settled'> {
  const differences = compared.flatMap(([, comparison]) =>
    comparison.is === 'different' ? [comparison.difference] : [],
  );
  const undecided = compared.filter(([charge, { is }]) => (is === 'booked' || is === 'returned') && !isFinal(charge));
  return { differences, undecided: undecided.map(([{ paymentIntentId }]) => paymentIntentId), settled: [] };
}

function sumOf(compared: Compared): Balance {
  return compared.reduce((sum, [, comparison]) => addTo(sum, comparison), EMPTY_BALANCE);
}

function idsOf(differences: readonly Difference[]): string[] {
  return differences.map(({ paymentIntentId }) => paymentIntentId);
}

async function inTurn<T, Result>(items: readonly T[], act: (item: T) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (const item of items) results.push(await act(item));
  return results;
}

import { z } from 'zod';
import {
  type Balance,
  bookLists,
  type BookPosition,
  type Difference,
  EMPTY_BALANCE,
  FIRST_POSITION,
} from '../domain/books.ts';
import { must } from '../domain/must.ts';
import { orderStatuses } from '../domain/order-status.ts';
import { type Database, inTransaction } from './database.ts';

const sums = z.object({
  chargedMinor: z.number(),
  refundedMinor: z.number(),
  lostMinor: z.number(),
  keptMinor: z.number(),
});
const balance = z.object({
  charges: z.number(),
  notOurs: z.number(),
  returned: z.number(),
  lines: z.array(z.object({ currency: z.string(), atStripe: sums, here: sums })),
}) satisfies z.ZodType<Balance>;
const position = z.object({
  list: z.enum(bookLists),
  after: z.string().nullable(),
  looks: z.number(),
}) satisfies z.ZodType<BookPosition>;
const difference = z.object({
  paymentIntentId: z.string(),
  orderId: z.string(),
  status: z.enum(orderStatuses).nullable(),
  currency: z.string(),
  atStripe: sums,
  here: sums,
  untold: z.array(z.string()),
}) satisfies z.ZodType<Difference>;

/** A comparison with Stripe that is under way. Times are in ms since 1970. */
export type OpenReconciliation = {
  readonly reconciliationId: number;
  readonly startedAtMs: number;
  readonly lookedFromMs: number;
  readonly position: BookPosition;
  readonly balance: Balance;
};

const openReconciliation = z.object({
  reconciliationId: z.number(),
  startedAtMs: z.number(),
  lookedFromMs: z.number(),
  position,
  balance,
}) satisfies z.ZodType<OpenReconciliation>;

/**
 * Goes on with the reconciliation that is unfinished, or begins one. It looks at what was made at Stripe since the last
 * complete one began, less an hour; the first one at all since the first order was made, and at a month at least.
 *
 * @param lookFromMs begins anew, and looks back at least to then, in ms since 1970
 */
export async function openReconciliationOf(database: Database, lookFromMs?: number): Promise<OpenReconciliation> {
  await database.query({
    name: 'reconciliations.begin',
    text: `
      INSERT INTO reconciliations (looked_from, position, balance)
      SELECT
        LEAST(
          to_timestamp($3::double precision / 1000),
          COALESCE(
            (SELECT started_at - interval '1 hour' FROM reconciliations
              WHERE finished_at IS NOT NULL ORDER BY reconciliation_id DESC LIMIT 1),
            LEAST((SELECT min(created_at) FROM orders), clock_timestamp() - interval '30 days')
          )
        ), $1, $2
      ON CONFLICT ((true)) WHERE finished_at IS NULL DO UPDATE SET
        started_at = EXCLUDED.started_at,
        looked_from = LEAST(reconciliations.looked_from, EXCLUDED.looked_from),
        position = EXCLUDED.position,
        balance = EXCLUDED.balance
      WHERE $3 IS NOT NULL`,
    values: [JSON.stringify(FIRST_POSITION), JSON.stringify(EMPTY_BALANCE), lookFromMs ?? null],
  });
  const found = await database.query({
    name: 'reconciliations.unfinished',
    text: `
      SELECT
        reconciliation_id AS "reconciliationId",
        (EXTRACT(epoch FROM started_at) * 1000)::bigint AS "startedAtMs",
        (EXTRACT(epoch FROM looked_from) * 1000)::bigint AS "lookedFromMs",
        position, balance
      FROM reconciliations WHERE finished_at IS NULL`,
  });
  return openReconciliation.parse(must(found.rows[0], 'the reconciliation that was just begun'));
}

/** What a look at some payments has found. */
export type BookLook = {
  readonly differences: readonly Difference[];
  /** Those of them that are not in the sums yet. */
  readonly uncounted: readonly string[];
  /** Payments that agree, and of which a bank or Stripe still has something to decide. */
  readonly undecided: readonly string[];
  /** Payments that need not be looked at again. */
  readonly settled: readonly string[];
  /**
   * Whether the look was only at what one of Stripe's lists says. That such a look finds nothing wrong does not settle what
   * another one found.
   */
  readonly isPartial: boolean;
};

type RecordedLook = {
  readonly reconciliationId: number;
  readonly look: BookLook;
  /** The sums so far, those of this look included. */
  readonly balance: Balance;
  /** Returns where the reconciliation goes on if so many payments differ; undefined if it is done. */
  readonly next: (differing: number) => BookPosition | undefined;
};

/**
 * Writes down what a look has found and how far the reconciliation is, all of it or nothing. Written again, it is the same.
 *
 * @returns how many payments differ, and where it goes on; `position` is undefined if it is done
 */
export async function recordBookLook(
  database: Database,
  { reconciliationId, look, balance, next }: RecordedLook,
): Promise<{ readonly differing: number; readonly position?: BookPosition }> {
  const { differences, uncounted, undecided, settled, isPartial } = look;
  return inTransaction(database, async (connection) => {
    await connection.query({
      name: 'unsettled-payments.forget',
      text: 'DELETE FROM unsettled_payments WHERE payment_intent_id = ANY($1::text[])',
      values: [settled],
    });
    await connection.query({
      name: 'unsettled-payments.write',
      text: `
        INSERT INTO unsettled_payments AS before (payment_intent_id, difference, is_uncounted)
        SELECT payment_intent_id, difference, payment_intent_id = ANY($3::text[])
        FROM unnest($1::text[], $2::jsonb[]) AS found (payment_intent_id, difference)
        ON CONFLICT (payment_intent_id) DO UPDATE SET
          difference = EXCLUDED.difference,
          is_uncounted = EXCLUDED.is_uncounted OR ($4 AND before.is_uncounted),
          is_told = before.is_told AND before.difference IS NOT DISTINCT FROM EXCLUDED.difference,
          looked_at = EXCLUDED.looked_at
        WHERE NOT $4 OR EXCLUDED.difference IS NOT NULL`,
      values: [
        [...differences.map(({ paymentIntentId }) => paymentIntentId), ...undecided],
        [...differences.map((each) => JSON.stringify(each)), ...undecided.map(() => null)],
        uncounted,
        isPartial,
      ],
    });
    const counted = await connection.query<{ differing: number }>({
      name: 'unsettled-payments.count-differing',
      text: 'SELECT count(*)::integer AS differing FROM unsettled_payments WHERE difference IS NOT NULL',
    });
    const { differing } = must(counted.rows[0], 'a count');
    const position = next(differing);
    await connection.query({
      name: 'reconciliations.record',
      text: `
        UPDATE reconciliations SET
          position = $2, balance = $3, differing = $4, finished_at = CASE WHEN $2::jsonb IS NULL THEN clock_timestamp() END
        WHERE reconciliation_id = $1 AND finished_at IS NULL`,
      values: [
        reconciliationId,
        position === undefined ? null : JSON.stringify(position),
        JSON.stringify(balance),
        position === undefined ? differing : null,
      ],
    });
    return { differing, ...(position !== undefined && { position }) };
  });
}

/** Marks what differs as told to a person. Returns those of which nobody was told before. */
export async function markDifferencesTold(
  database: Database,
  paymentIntentIds: readonly string[],
): Promise<Difference[]> {
  const told = await database.query<{ difference: unknown }>({
    name: 'unsettled-payments.tell',
    text: `
      UPDATE unsettled_payments SET is_told = true
      WHERE payment_intent_id = ANY($1::text[]) AND difference IS NOT NULL AND NOT is_told
      RETURNING difference`,
    values: [paymentIntentIds],
  });
  return told.rows.map((row) => difference.parse(row.difference));
}

/** A payment that is to be looked at again. */
export type UnsettledPayment = {
  readonly paymentIntentId: string;
  /** Whether the sums of the reconciliation that is under way lack it. */
  readonly isUncounted: boolean;
};

/** Lists payments that are to be looked at again, by their id. */
export async function listUnsettledPayments(
  database: Database,
  filter: {
    readonly after: string | null;
    readonly limit: number;
    /** Only those that differ. */
    readonly differing?: boolean;
    /** Only those that were last looked at before, in ms since 1970. */
    readonly lookedBeforeMs?: number;
  },
): Promise<UnsettledPayment[]> {
  const listed = await database.query<UnsettledPayment>({
    name: 'unsettled-payments.list',
    text: `
      SELECT payment_intent_id AS "paymentIntentId", is_uncounted AS "isUncounted" FROM unsettled_payments
      WHERE payment_intent_id > $1
        AND (NOT $3 OR difference IS NOT NULL)
        AND ($4::bigint IS NULL OR looked_at < to_timestamp($4::double precision / 1000))
      ORDER BY payment_intent_id
      LIMIT $2`,
    values: [filter.after ?? '', filter.limit, filter.differing ?? false, filter.lookedBeforeMs ?? null],
  });
  return listed.rows;
}

const reconciliation = z.object({
  startedAt: z.date(),
  lookedFrom: z.date(),
  finishedAt: z.date(),
  balance,
  /** How many payments differed when it ended. */
  differing: z.number(),
});

/** The last complete comparison with Stripe, and what differs now. */
export type Reconciliation = z.infer<typeof reconciliation> & {
  /** The first hundred. */
  readonly differences: readonly Difference[];
};

/** Reads the last complete reconciliation with what still differs; undefined if there was none yet. */
export async function findLastReconciliation(database: Database): Promise<Reconciliation | undefined> {
  const found = await database.query({
    name: 'reconciliations.last',
    text: `
      SELECT started_at AS "startedAt", looked_from AS "lookedFrom", finished_at AS "finishedAt", balance, differing
      FROM reconciliations WHERE finished_at IS NOT NULL
      ORDER BY reconciliation_id DESC LIMIT 1`,
  });
  const row: unknown = found.rows[0];
  if (row === undefined) return undefined;
  const differing = await database.query<{ difference: unknown }>({
    name: 'unsettled-payments.differences',
    text: `
      SELECT difference FROM unsettled_payments WHERE difference IS NOT NULL ORDER BY payment_intent_id LIMIT 100`,
  });
  return {
    ...reconciliation.parse(row),
    differences: differing.rows.map((each) => difference.parse(each.difference)),
  };
}

/** How the books stand: payments that differ, and how long ago the last complete comparison began. */
export type BooksState = {
  readonly differing: number;
  /** In seconds; null if there was none yet. */
  readonly lastCompleteAgeSeconds: number | null;
};

/** Reads how the books stand, for metrics. */
export async function readBooksState(database: Database): Promise<BooksState> {
  const read = await database.query<BooksState>({
    name: 'reconciliations.state',
    text: `
      SELECT
        (SELECT count(*)::integer FROM unsettled_payments WHERE difference IS NOT NULL) AS differing,
        (SELECT EXTRACT(epoch FROM clock_timestamp() - started_at)::float8 FROM reconciliations
          WHERE finished_at IS NOT NULL ORDER BY reconciliation_id DESC LIMIT 1) AS "lastCompleteAgeSeconds"`,
  });
  return must(read.rows[0], 'a row of one SELECT');
}

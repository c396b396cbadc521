import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { TimelineEntry } from '../contracts/messages.ts';
import { type Charge, describeWayBack, lostOf, type Refund } from '../domain/charge.ts';
import { must } from '../domain/must.ts';
import { mergeLines } from '../domain/order-lines.ts';
import { orderStatuses, type OrderStatus, transitionEvent } from '../domain/order-status.ts';
import {
  decidePart,
  describePart,
  isSamePart,
  type PartRefundRequest,
  type PartRefusal,
  refundStates,
  stateAtStripe,
} from '../domain/refund.ts';
import { type Database, inTransaction, type Queryable } from './database.ts';
import { giveBackPieces, isBeingShipped, keepBack } from './stock.ts';
import { appendEntry, TimelineConflictError } from './timeline.ts';

export const refundRecord = z.object({
  refundId: z.string(),
  paymentIntentId: z.string(),
  amountMinor: z.number(),
  isWhole: z.boolean(),
  items: z.array(z.object({ itemId: z.string(), quantity: z.number() })).nullable(),
  restock: z.boolean(),
  reason: z.string().nullable(),
  requestedBy: z.string().nullable(),
  state: z.enum(refundStates),
  failureReason: z.string().nullable(),
  stripeRefundId: z.string().nullable(),
  madeAtStripe: z.boolean(),
  createdAt: z.coerce.date(),
});

/** A refund of one of an order's payments as its row stands, whoever made it. */
export type RefundRecord = z.infer<typeof refundRecord>;

/** The refunds of an order `o`, the oldest first, as JSON for {@link refundRecord}. */
export const REFUNDS_OF_ORDER = `
  COALESCE((SELECT json_agg(json_build_object(
      'refundId', r.refund_id, 'paymentIntentId', r.payment_intent_id, 'amountMinor', r.amount_minor,
      'isWhole', r.is_whole, 'items', r.items, 'restock', r.restock, 'reason', r.reason,
      'requestedBy', r.requested_by, 'state', r.state, 'failureReason', r.failure_reason,
      'stripeRefundId', r.stripe_refund_id, 'madeAtStripe', r.made_at_stripe, 'createdAt', r.created_at
    ) ORDER BY r.created_at, r.refund_id) FROM refunds r WHERE r.order_id = o.order_id), '[]')`;

const lockedOrder = z.object({
  orderId: z.string(),
  status: z.enum(orderStatuses),
  paymentIntentId: z.string().nullable(),
  keptAmountMinor: z.number(),
  totalAmountMinor: z.number(),
  currency: z.string(),
});
type LockedOrder = z.infer<typeof lockedOrder>;

/** Locks an order's row: everything about its refunds happens behind this lock. Undefined if there is no such order. */
export async function lockOrder(connection: Queryable, orderId: string): Promise<LockedOrder | undefined> {
  const found = await connection.query({
    name: 'orders.lock',
    text: `
      SELECT order_id AS "orderId", status, payment_intent_id AS "paymentIntentId",
        kept_amount_minor AS "keptAmountMinor", total_amount_minor AS "totalAmountMinor", currency
      FROM orders WHERE order_id = $1
      FOR NO KEY UPDATE`,
    values: [orderId],
  });
  const row: unknown = found.rows[0];
  return row === undefined ? undefined : lockedOrder.parse(row);
}

async function requireLocked(connection: Queryable, orderId: string): Promise<LockedOrder> {
  const order = await lockOrder(connection, orderId);
  if (order === undefined) throw new TimelineConflictError(`Order ${orderId} does not exist, so it has no refunds`);
  return order;
}

/** Lists an order's refunds, the oldest first. To be called behind the order's lock. */
async function listRefunds(connection: Queryable, orderId: string): Promise<RefundRecord[]> {
  const listed = await connection.query<{ refunds: unknown }>({
    name: 'refunds.list',
    text: `SELECT ${REFUNDS_OF_ORDER} AS refunds FROM orders o WHERE o.order_id = $1`,
    values: [orderId],
  });
  return refundRecord.array().parse(listed.rows[0]?.refunds ?? []);
}

/** Whether an entry says something of refunds, so that their rows follow it. */
export function concernsRefunds({ data, changes, transition }: TimelineEntry): boolean {
  return (
    data?.refund !== undefined ||
    changes?.charge !== undefined ||
    changes?.refundWithdrawn === true ||
    transition?.to === 'REFUNDED'
  );
}

/** Brings an order's refunds in line with an entry of its timeline, in the entry's transaction. Twice is once. */
export async function followEntry(connection: Queryable, entry: TimelineEntry): Promise<void> {
  const { orderId, source, data, changes = {}, transition } = entry;
  const order = await requireLocked(connection, orderId);
  if (changes.charge !== undefined) await followCharge(connection, order, changes.charge);
  if (data?.refund !== undefined && order.paymentIntentId !== null) {
    const asked = (await listRefunds(connection, orderId)).filter(({ state }) => state === 'asked');
    const left = order.keptAmountMinor - asked.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
    if (left > 0) {
      await insert(connection, {
        refundId: refundIdOf(orderId, source),
        orderId,
        paymentIntentId: order.paymentIntentId,
        amountMinor: left,
        isWhole: true,
        restock: data.refund.restock,
        reason: data.refund.reason,
        requestedBy: data.refund.operator,
      });
    }
  }
  if (changes.refundWithdrawn === true) await closeWhole(connection, orderId, 'the goods had left');
  if (transition?.to === 'REFUNDED') await closeWhole(connection, orderId, 'nothing was left to refund');
}

/** The id of a refund that comes from something which has a name of its own: 24 hexadecimal digits. */
function refundIdOf(...origin: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify(['refund', ...origin]))
    .digest('hex')
    .slice(0, 24);
}

type NewRefund = Pick<RefundRecord, 'refundId' | 'paymentIntentId' | 'amountMinor' | 'restock'> & {
  readonly orderId: string;
  readonly isWhole?: boolean;
  readonly items?: RefundRecord['items'];
  readonly reason?: string;
  readonly requestedBy?: string | undefined;
  /** What Stripe says of it, if it is there. */
  readonly atStripe?: Refund;
};

async function insert(connection: Queryable, refund: NewRefund): Promise<void> {
  const { atStripe } = refund;
  await connection.query({
    name: 'refunds.insert',
    text: `
      INSERT INTO refunds (refund_id, order_id, payment_intent_id, amount_minor, is_whole, items, restock, reason,
        requested_by, state, failure_reason, stripe_refund_id, made_at_stripe)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
      ON CONFLICT DO NOTHING`,
    values: [
      refund.refundId,
      refund.orderId,
      refund.paymentIntentId,
      refund.amountMinor,
      refund.isWhole ?? false,
      refund.items ? JSON.stringify(refund.items) : null,
      refund.restock,
      refund.reason ?? null,
      refund.requestedBy ?? null,
      atStripe === undefined ? 'asked' : stateAtStripe(atStripe),
      atStripe === undefined ? null : failureOf(atStripe),
      atStripe?.refundId ?? null,
      atStripe !== undefined && atStripe.orderId === null,
    ],
  });
}

function failureOf(refund: Refund): string | null {
  return stateAtStripe(refund) === 'failed' ? (refund.failureReason ?? refund.status) : null;
}

async function closeWhole(connection: Queryable, orderId: string, why: string): Promise<void> {
  await connection.query({
    name: 'refunds.close-whole',
    text: `
      UPDATE refunds SET state = 'failed', failure_reason = $2, updated_at = clock_timestamp()
      WHERE order_id = $1 AND is_whole AND state = 'asked'`,
    values: [orderId, why],
  });
}

/** Brings the rows in line with a charge: its refunds, what is kept of it, and what the timeline says of parts. */
async function followCharge(connection: Queryable, order: LockedOrder, charge: Charge): Promise<void> {
  const { orderId, paymentIntentId } = order;
  const accepted = await settle(connection, orderId, charge.paymentIntentId, charge.refunds);
  if (charge.paymentIntentId === paymentIntentId) {
    await connection.query({
      name: 'orders.follow-charge',
      // Not the sum of the answer alone: another one may know of more.
      text: `
        UPDATE orders SET
          lost_amount_minor = GREATEST(lost_amount_minor, $3),
          kept_amount_minor = GREATEST(0, $2 - GREATEST(lost_amount_minor, $3) - (
            SELECT COALESCE(sum(amount_minor), 0) FROM refunds
            WHERE order_id = $1 AND payment_intent_id = orders.payment_intent_id AND state = 'accepted'
          )),
          kept_as_of_ms = GREATEST(kept_as_of_ms, $4)
        WHERE order_id = $1`,
      values: [orderId, charge.amountMinor, lostOf(charge), charge.readAtMs],
    });
  }
  await tellAccepted(connection, order, accepted);
}

/**
 * Makes the rows say what Stripe says of a payment's refunds: those that were asked for here are known by what our key
 * wrote into them, all others become rows of their own.
 *
 * @returns the parts that Stripe has accepted, and whose rows did not say so before
 */
async function settle(
  connection: Queryable,
  orderId: string,
  paymentIntentId: string,
  atStripe: readonly Refund[],
): Promise<RefundRecord[]> {
  const rows = await listRefunds(connection, orderId);
  const accepted: RefundRecord[] = [];
  for (const refund of atStripe) {
    const row =
      rows.find(({ stripeRefundId }) => stripeRefundId === refund.refundId) ??
      rows.find((candidate) => isAskedFor(candidate, refund, orderId, paymentIntentId));
    if (row === undefined) {
      await insert(connection, {
        refundId: refundIdOf(refund.refundId),
        orderId,
        paymentIntentId,
        amountMinor: refund.amountMinor,
        restock: false,
        atStripe: refund,
      });
      continue;
    }
    const state = stateAtStripe(refund);
    // A refund that failed stays failed; an answer that says otherwise is older.
    if (row.stripeRefundId !== null && (row.state === state || row.state === 'failed')) continue;
    const settled = { ...row, state, stripeRefundId: refund.refundId, amountMinor: refund.amountMinor };
    await connection.query({
      name: 'refunds.settle',
      text: `
        UPDATE refunds SET state = $2, failure_reason = $3, stripe_refund_id = $4, amount_minor = $5,
          updated_at = clock_timestamp()
        WHERE refund_id = $1`,
      values: [row.refundId, state, failureOf(refund), refund.refundId, refund.amountMinor],
    });
    rows[rows.indexOf(row)] = settled;
    if (state === 'accepted' && !row.isWhole && !row.madeAtStripe) accepted.push(settled);
  }
  if (accepted.some(({ restock }) => restock)) {
    // All that has come back so far: pieces whose refund failed, and that are refunded once more, come back once.
    const back = rows.filter(({ state, restock }) => state === 'accepted' && restock);
    await giveBackPieces(
      connection,
      orderId,
      back.flatMap(({ items }) => items ?? []),
    );
  }
  return accepted;
}

function isAskedFor(row: RefundRecord, refund: Refund, orderId: string, paymentIntentId: string): boolean {
  if (row.paymentIntentId !== paymentIntentId || row.stripeRefundId !== null) return false;
  if (refund.partId !== undefined) return row.refundId === refund.partId;
  return refund.orderId === orderId && row.isWhole && row.state === 'asked';
}

/** Writes to the timeline how much was refunded, of what, and why. */
async function tellAccepted(
  connection: Queryable,
  order: LockedOrder,
  accepted: readonly RefundRecord[],
): Promise<void> {
  if (accepted.length === 0) return;
  const lines = await listLines(connection, order.orderId);
  const total = { amountMinor: order.totalAmountMinor, currency: order.currency };
  for (const refund of accepted) {
    const { refundId, amountMinor, items, restock, requestedBy } = refund;
    await appendEntry(connection, {
      orderId: order.orderId,
      source: `refund:${refund.stripeRefundId}`,
      event: 'payment.refunded',
      detail: describePart(refund, { total, lines }),
      data: {
        part: { refundId, amountMinor, currency: order.currency, items, restock },
        ...(requestedBy !== null && { by: requestedBy }),
      },
    });
  }
}

const orderLine = z.object({
  itemId: z.string(),
  name: z.string(),
  quantity: z.number(),
  unitAmountMinor: z.number(),
});

async function listLines(connection: Queryable, orderId: string): Promise<z.infer<typeof orderLine>[]> {
  const listed = await connection.query({
    name: 'order-lines.list',
    text: `
      SELECT item_id AS "itemId", name, quantity, unit_amount_minor AS "unitAmountMinor"
      FROM order_lines WHERE order_id = $1 ORDER BY line_number`,
    values: [orderId],
  });
  return orderLine.array().parse(listed.rows);
}

export type PartToOpen = {
  readonly orderId: string;
  readonly refundId: string;
  readonly request: PartRefundRequest;
  /** The order's charge as Stripe has just said. */
  readonly charge: Charge;
};

export type OpenedPart =
  | { readonly outcome: 'open'; readonly amountMinor: number; readonly state: RefundRecord['state'] }
  /** The id stands for another refund. */
  | { readonly outcome: 'otherRequest' }
  | { readonly outcome: 'refused'; readonly refusal: PartRefusal };

/**
 * Writes down that a part of an order's payment is to be refunded, if so much is left. One at a time, so that two
 * operators never give back more than there is; asked again under the same id, it is the same refund.
 *
 * @throws TimelineConflictError if there is no such order
 */
export async function openPart(
  database: Database,
  { orderId, refundId, request, charge }: PartToOpen,
): Promise<OpenedPart> {
  return inTransaction(database, async (connection) => {
    await followCharge(connection, await requireLocked(connection, orderId), charge);
    const order = await requireLocked(connection, orderId);
    const refunds = await listRefunds(connection, orderId);
    const existing = refunds.find((refund) => refund.refundId === refundId);
    if (existing !== undefined) {
      return isSamePart(existing, request)
        ? { outcome: 'open', amountMinor: existing.amountMinor, state: existing.state }
        : { outcome: 'otherRequest' };
    }
    const decided = decidePart(
      {
        status: order.status,
        currency: order.currency,
        lines: await listLines(connection, orderId),
        keptAmountMinor: order.keptAmountMinor,
        refunds,
        isBeingShipped: await isBeingShipped(connection, orderId),
      },
      request,
    );
    if ('refusal' in decided) return { outcome: 'refused', refusal: decided.refusal };
    const { amountMinor } = decided;
    const items = request.items === undefined ? null : mergeLines(request.items);
    if (items !== null && request.restock && order.status === 'PAID') await keepBack(connection, orderId, items);
    await insert(connection, {
      refundId,
      orderId,
      paymentIntentId: charge.paymentIntentId,
      amountMinor,
      items,
      restock: request.restock,
      reason: request.reason,
      requestedBy: request.operator,
    });
    return { outcome: 'open', amountMinor, state: 'asked' };
  });
}

export type SettledPart = { readonly state: RefundRecord['state']; readonly status: OrderStatus };

export type PartToFail = Pick<PartToOpen, 'orderId' | 'refundId'> & {
  /** For the row: why it can't be made. */
  readonly why: string;
  /** For the timeline: what an operator should know. */
  readonly detail: string;
};

/**
 * Writes down what became of a part at Stripe: its amount, the pieces that are back in stock, the entry of the timeline,
 * and REFUNDED if nothing is left of a finished order's money.
 *
 * @returns the state of the part, and the order's status after it
 * @throws TimelineConflictError if there is no such order
 */
export async function settlePart(
  database: Database,
  { orderId, refundId, charge }: Pick<PartToOpen, 'orderId' | 'refundId' | 'charge'>,
): Promise<SettledPart> {
  return inTransaction(database, async (connection) => {
    await followCharge(connection, await requireLocked(connection, orderId), charge);
    const order = await requireLocked(connection, orderId);
    const isRefunded = order.status === 'FINISHED' && order.keptAmountMinor === 0;
    if (isRefunded) {
      const event = transitionEvent('REFUNDED');
      await appendEntry(connection, {
        orderId,
        source: event,
        event,
        detail: describeWayBack(lostOf(charge) > 0 ? 'lostInDispute' : 'refunded'),
        transition: { from: 'FINISHED', to: 'REFUNDED' },
      });
      await closeWhole(connection, orderId, 'nothing was left to refund');
    }
    const refunds = await listRefunds(connection, orderId);
    const part = must(
      refunds.find((refund) => refund.refundId === refundId),
      `refund ${refundId} of order ${orderId}`,
    );
    return { state: part.state, status: isRefunded ? 'REFUNDED' : order.status };
  });
}

/** Writes down that a part cannot be refunded any more, with an entry of the timeline. Twice is once. */
export async function failPart(database: Database, { orderId, refundId, why, detail }: PartToFail): Promise<void> {
  await inTransaction(database, async (connection) => {
    await requireLocked(connection, orderId);
    await connection.query({
      name: 'refunds.fail',
      text: `
        UPDATE refunds SET state = 'failed', failure_reason = $2, updated_at = clock_timestamp()
        WHERE refund_id = $1 AND state = 'asked'`,
      values: [refundId, why],
    });
    await appendEntry(connection, { orderId, source: `refund:${refundId}:failed`, event: 'refund.failed', detail });
  });
}

const partToFinish = z.object({ orderId: z.string() }).extend(refundRecord.shape);

/** Lists the parts that were asked for and not decided, the oldest first. */
export async function listPartsToFinish(database: Database): Promise<z.infer<typeof partToFinish>[]> {
  const listed = await database.query({
    name: 'refunds.list-to-finish',
    text: `
      SELECT r.order_id AS "orderId", r.refund_id AS "refundId", r.payment_intent_id AS "paymentIntentId",
        r.amount_minor AS "amountMinor", r.is_whole AS "isWhole", r.items, r.restock, r.reason,
        r.requested_by AS "requestedBy", r.state, r.failure_reason AS "failureReason",
        r.stripe_refund_id AS "stripeRefundId", r.made_at_stripe AS "madeAtStripe", r.created_at AS "createdAt"
      FROM refunds r
      WHERE r.state = 'asked' AND NOT r.is_whole
      ORDER BY r.created_at, r.refund_id`,
  });
  return partToFinish.array().parse(listed.rows);
}

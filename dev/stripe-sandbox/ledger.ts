import type { Stripe } from 'stripe';
import type { Account } from './events.ts';

type LedgerCharge = {
  id: string;
  paymentIntentId: string | null;
  sessionId: string | null;
  orderId: string | null;
  amountMinor: number;
  amountRefundedMinor: number;
  currency: string;
  status: string;
  disputed: boolean;
  reviewId: string | null;
  created: number;
};
type LedgerRefund = {
  id: string;
  chargeId: string | null;
  paymentIntentId: string | null;
  orderId: string | null;
  amountMinor: number;
  currency: string;
  status: string | null;
  reason: string | null;
  metadata: Record<string, string>;
  created: number;
};
type LedgerDispute = {
  id: string;
  chargeId: string;
  orderId: string | null;
  amountMinor: number;
  currency: string;
  status: string;
  reason: string;
  /** What the bank has taken back, less what it has returned: 0 for an inquiry and for a dispute that was won. */
  lostMinor: number;
  created: number;
};
/** What became of an order's money. `orderId` is null for everything that belongs to no order. */
type LedgerTotal = {
  orderId: string | null;
  currency: string;
  chargedMinor: number;
  /** Includes pending refunds, as the charge does, but not failed ones. */
  refundedMinor: number;
  lostMinor: number;
  /** Charged, less refunded, less lost. */
  keptMinor: number;
};
export type Ledger = {
  charges: LedgerCharge[];
  refunds: LedgerRefund[];
  disputes: LedgerDispute[];
  totals: LedgerTotal[];
};

export type SessionSummary = {
  id: string;
  orderId: string | null;
  status: string | null;
  paymentStatus: string;
  paymentIntentId: string | null;
  amountMinor: number | null;
  currency: string | null;
  url: string | null;
  created: number;
  expiresAt: number;
};

const idOf = (reference: string | { id: string } | null): string | null =>
  typeof reference === 'object' && reference !== null ? reference.id : reference;

/**
 * The order that an object is for, from its metadata alone, which only the shop can write. A session's
 * `client_reference_id` may come from the address of a Payment Link.
 */
function orderOf(object: { metadata: Stripe.Metadata | null } | undefined): string | null {
  return object?.metadata?.['order_id'] ?? null;
}

/** What money moved, oldest first; of one order if its id is given. Amounts are in minor units. */
export function readLedger({ store }: Account, orderId?: string): Ledger {
  const originOf = (paymentIntentId: string | null) => {
    const record = paymentIntentId === null ? undefined : store.get('paymentIntents', paymentIntentId);
    const sessionId = record?.sessionId ?? null;
    const session = sessionId === null ? undefined : store.get('sessions', sessionId)?.session;
    return { sessionId, orderId: orderOf(session) ?? orderOf(record?.paymentIntent) };
  };
  const wanted = (entry: { orderId: string | null }) => orderId === undefined || entry.orderId === orderId;
  const moved = {
    charges: store
      .all('charges')
      .map((charge) => ({
        id: charge.id,
        paymentIntentId: idOf(charge.payment_intent),
        ...originOf(idOf(charge.payment_intent)),
        amountMinor: charge.amount,
        amountRefundedMinor: charge.amount_refunded,
        currency: charge.currency,
        status: charge.status,
        disputed: charge.disputed,
        reviewId: idOf(charge.review),
        created: charge.created,
      }))
      .filter(wanted),
    refunds: store
      .all('refunds')
      .map((refund) => ({
        id: refund.id,
        chargeId: idOf(refund.charge),
        paymentIntentId: idOf(refund.payment_intent),
        orderId: originOf(idOf(refund.payment_intent)).orderId,
        amountMinor: refund.amount,
        currency: refund.currency,
        status: refund.status,
        reason: refund.reason,
        metadata: refund.metadata ?? {},
        created: refund.created,
      }))
      .filter(wanted),
    disputes: store
      .all('disputes')
      .map((dispute) => ({
        id: dispute.id,
        chargeId: idOf(dispute.charge) ?? '',
        orderId: originOf(idOf(dispute.payment_intent)).orderId,
        amountMinor: dispute.amount,
        currency: dispute.currency,
        status: dispute.status,
        reason: dispute.reason,
        lostMinor: 0 - dispute.balance_transactions.reduce((sum, { amount }) => sum + amount, 0),
        created: dispute.created,
      }))
      .filter(wanted),
  };
  return { ...moved, totals: totalsOf(moved) };
}

function totalsOf({ charges, refunds, disputes }: Omit<Ledger, 'totals'>): LedgerTotal[] {
  const totals = new Map<string, LedgerTotal>();
  const totalOf = ({ orderId, currency }: { orderId: string | null; currency: string }) => {
    const key = `${orderId ?? ''} ${currency}`;
    const none = { orderId, currency, chargedMinor: 0, refundedMinor: 0, lostMinor: 0, keptMinor: 0 };
    const total = totals.get(key) ?? none;
    totals.set(key, total);
    return total;
  };
  for (const charge of charges) if (charge.status === 'succeeded') totalOf(charge).chargedMinor += charge.amountMinor;
  for (const refund of refunds) {
    if (refund.status === 'succeeded' || refund.status === 'pending')
      totalOf(refund).refundedMinor += refund.amountMinor;
  }
  for (const dispute of disputes) totalOf(dispute).lostMinor += dispute.lostMinor;
  return [...totals.values()].map((total) => ({
    ...total,
    keptMinor: total.chargedMinor - total.refundedMinor - total.lostMinor,
  }));
}

/** The Checkout Sessions, oldest first; of one order if its id is given. */
export function listSessions({ store }: Account, orderId?: string): SessionSummary[] {
  return store
    .all('sessions')
    .map(({ session }) => ({
      id: session.id,
      orderId: orderOf(session),
      status: session.status,
      paymentStatus: session.payment_status,
      paymentIntentId: idOf(session.payment_intent),
      amountMinor: session.amount_total,
      currency: session.currency,
      url: session.url,
      created: session.created,
      expiresAt: session.expires_at,
    }))
    .filter((session) => orderId === undefined || session.orderId === orderId);
}

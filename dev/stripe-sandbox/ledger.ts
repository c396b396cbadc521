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
  created: number;
};
export type Ledger = { charges: LedgerCharge[]; refunds: LedgerRefund[]; disputes: LedgerDispute[] };

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

/** The order that a session is for: its reference, or the order id in its metadata. */
function orderOfSession(session: Stripe.Checkout.Session): string | null {
  return session.client_reference_id ?? session.metadata?.['order_id'] ?? null;
}

/** What money moved, oldest first; of one order where its id is given. Amounts are in minor units. */
export function readLedger({ store }: Account, orderId?: string): Ledger {
  const orderOf = (paymentIntentId: string | null) => {
    const record = paymentIntentId === null ? undefined : store.get('paymentIntents', paymentIntentId);
    const sessionId = record?.sessionId ?? null;
    const session = sessionId === null ? undefined : store.get('sessions', sessionId)?.session;
    const fromSession = session === undefined ? null : orderOfSession(session);
    return { sessionId, orderId: fromSession ?? record?.paymentIntent.metadata['order_id'] ?? null };
  };
  const wanted = (entry: { orderId: string | null }) => orderId === undefined || entry.orderId === orderId;
  return {
    charges: store
      .all('charges')
      .map((charge) => ({
        id: charge.id,
        paymentIntentId: idOf(charge.payment_intent),
        ...orderOf(idOf(charge.payment_intent)),
        amountMinor: charge.amount,
        amountRefundedMinor: charge.amount_refunded,
        currency: charge.currency,
        status: charge.status,
        disputed: charge.disputed,
        created: charge.created,
      }))
      .filter(wanted),
    refunds: store
      .all('refunds')
      .map((refund) => ({
        id: refund.id,
        chargeId: idOf(refund.charge),
        paymentIntentId: idOf(refund.payment_intent),
        orderId: orderOf(idOf(refund.payment_intent)).orderId,
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
        orderId: orderOf(idOf(dispute.payment_intent)).orderId,
        amountMinor: dispute.amount,
        currency: dispute.currency,
        status: dispute.status,
        reason: dispute.reason,
        created: dispute.created,
      }))
      .filter(wanted),
  };
}

/** The Checkout Sessions, oldest first; of one order where its id is given. */
export function listSessions({ store }: Account, orderId?: string): SessionSummary[] {
  return store
    .all('sessions')
    .map(({ session }) => ({
      id: session.id,
      orderId: orderOfSession(session),
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

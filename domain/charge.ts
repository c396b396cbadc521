/**
 * What became of the money of a payment after it was paid, as pure functions: refunds, disputes, reviews and fraud
 * warnings, whoever caused them. Everything is decided on what Stripe says now, never on what an event said once.
 */
import { formatMoney } from './money.ts';

export type Refund = {
  readonly refundId: string;
  readonly amountMinor: number;
  /** Stripe's word: `pending`, `succeeded`, `failed`, `canceled` or `requires_action`. */
  readonly status: string;
  /** The order that our own key wrote into it; null for a refund that somebody made at Stripe. */
  readonly orderId: string | null;
  readonly failureReason: string | null;
};

export type Dispute = {
  readonly disputeId: string;
  readonly status: string;
  readonly reason: string;
  readonly amountMinor: number;
};

/** A successful charge at Stripe with all that happened to it since, read at one moment. */
export type Charge = {
  readonly paymentIntentId: string;
  /** The order that our own key wrote into the payment; a buyer cannot set it. */
  readonly orderId: string | null;
  readonly amountMinor: number;
  /** ISO 4217, upper case. */
  readonly currency: string;
  /** What Stripe has accepted to refund, in all. */
  readonly refundedMinor: number;
  readonly refunds: readonly Refund[];
  readonly disputes: readonly Dispute[];
  readonly review: { readonly reviewId: string; readonly open: boolean; readonly reason: string } | null;
  readonly fraudWarnings: readonly { readonly warningId: string; readonly fraudType: string }[];
  /** When Stripe was asked, in ms since 1970. */
  readonly readAtMs: number;
};

/** An entry of the timeline that changes no status. `source` says what it comes from: one source, one entry. */
export type Note = {
  readonly source: string;
  readonly event: string;
  /** For people: what happened. */
  readonly detail: string;
  /** Whether a person should look. */
  readonly alarm?: boolean;
};

/** What can make a payment doubtful while its money is still here. */
export const doubts = ['disputed', 'in_review', 'fraud_warning', 'part_refunded'] as const;
export type Doubt = (typeof doubts)[number];

/** A dispute's states in which the bank has said its last word (https://docs.stripe.com/api/disputes/object). */
const DECIDED: ReadonlySet<string> = new Set(['won', 'lost', 'warning_closed', 'prevented']);

/** Whether the bank has decided a dispute. */
function isDecided({ status }: Pick<Dispute, 'status'>): boolean {
  return DECIDED.has(status);
}

/** Whether the bank only asks: no money is withdrawn, and the charge can be refunded, which ends the inquiry. */
function isInquiry({ status }: Pick<Dispute, 'status'>): boolean {
  return status.startsWith('warning_');
}

/** Whether Stripe refunds nothing of a charge for now, because a bank has not decided. */
export function isRefundBlocked({ disputes }: Charge): boolean {
  return disputes.some((dispute) => !isDecided(dispute) && !isInquiry(dispute));
}

/** Returns what the shop still has of a charge, in minor units: charged − refunded − lost in disputes. */
export function keptOf({ amountMinor, refundedMinor, disputes }: Charge): number {
  const lost = disputes
    .filter(({ status }) => status === 'lost')
    .reduce((sum, dispute) => sum + dispute.amountMinor, 0);
  return Math.max(0, amountMinor - refundedMinor - lost);
}

/** Returns why goods for this charge should perhaps not leave yet. An empty list if all is well, or nothing is left. */
export function doubtsAbout(charge: Charge): Doubt[] {
  const kept = keptOf(charge);
  if (kept === 0) return [];
  const found: Doubt[] = [];
  if (charge.disputes.some((dispute) => !isDecided(dispute))) found.push('disputed');
  if (charge.review?.open === true) found.push('in_review');
  if (charge.fraudWarnings.length > 0 && !wonAllDisputes(charge)) found.push('fraud_warning');
  if (kept < charge.amountMinor) found.push('part_refunded');
  return found;
}

/** The bank itself has overruled its warning then. */
function wonAllDisputes({ disputes }: Charge): boolean {
  return disputes.length > 0 && disputes.every(({ status }) => status === 'won');
}

/** How the money of a charge went back, once nothing of it is left. */
export type WayBack = 'refunded' | 'lostInDispute';

/** Returns how all of the money went back; undefined while something is left. */
export function wayBackOf(charge: Charge): WayBack | undefined {
  if (keptOf(charge) > 0) return undefined;
  return charge.disputes.some(({ status }) => status === 'lost') ? 'lostInDispute' : 'refunded';
}

/** Says for an order's timeline how its money went back, in a customer's words. */
export function describeWayBack(way: WayBack): string {
  return way === 'refunded'
    ? 'The payment was refunded in full.'
    : 'Your bank decided the dispute in your favour and returned the payment.';
}

/**
 * Returns everything that the timeline should say of a charge. It follows from the charge's state alone, so lost, late
 * and repeated events lead to the same entries, in an order that makes sense.
 */
export function notesOn(charge: Charge): Note[] {
  return [
    ...charge.refunds.flatMap((refund) => notesOnRefund(refund, charge)),
    ...charge.fraudWarnings.map(({ warningId, fraudType }): Note => ({
      source: `fraud_warning:${warningId}`,
      event: 'payment.fraud_warning',
      detail: `The card's bank suspects fraud: ${inWords(fraudType)}.`,
      alarm: true,
    })),
    ...notesOnReview(charge),
    ...charge.disputes.flatMap((dispute) => notesOnDispute(dispute, charge)),
  ];
}

/** The ends of a refund whose money is with the shop again (https://docs.stripe.com/refunds#failed-refunds). */
const DID_NOT_ARRIVE: ReadonlySet<string> = new Set(['failed', 'canceled']);

/** Whether a refund that we made for this order did not reach the customer, so that the shop has to pay another way. */
export function hasFailedRefund({ refunds }: Charge, orderId: string): boolean {
  return refunds.some((refund) => refund.orderId === orderId && DID_NOT_ARRIVE.has(refund.status));
}

/** Our own refunds are told by what asked for them. */
function notesOnRefund({ refundId, amountMinor, status, orderId, failureReason }: Refund, charge: Charge): Note[] {
  const amount = formatMoney({ amountMinor, currency: charge.currency });
  const notes: Note[] = [];
  if (orderId === null) {
    const whole = formatMoney(charge);
    notes.push({
      source: `refund:${refundId}`,
      event: 'payment.refunded',
      detail: amountMinor === charge.amountMinor ? `${amount} was refunded.` : `${amount} of ${whole} was refunded.`,
      alarm: true,
    });
  }
  if (DID_NOT_ARRIVE.has(status)) {
    notes.push({
      source: `refund:${refundId}:failed`,
      event: 'refund.failed',
      detail: `The refund of ${amount} did not reach the customer (${inWords(failureReason ?? status)}); the shop must pay it another way.`,
      alarm: true,
    });
  }
  return notes;
}

function notesOnReview({ review }: Charge): Note[] {
  if (review === null) return [];
  const opened: Note = {
    source: `review:${review.reviewId}`,
    event: 'payment.in_review',
    detail: 'Stripe wants a person to review the payment.',
    alarm: true,
  };
  const closed: Note = {
    source: `review:${review.reviewId}:closed`,
    event: 'payment.reviewed',
    detail: `The review of the payment has ended: ${inWords(review.reason)}.`,
  };
  return review.open ? [opened] : [opened, closed];
}

function notesOnDispute(dispute: Dispute, { currency }: Charge): Note[] {
  const { disputeId, amountMinor, status, reason } = dispute;
  const amount = formatMoney({ amountMinor, currency });
  const notes: Note[] = [
    {
      source: `dispute:${disputeId}`,
      event: 'payment.disputed',
      detail: `The payment of ${amount} is disputed at the bank: ${inWords(reason)}.`,
      alarm: true,
    },
  ];
  if (isDecided(dispute)) {
    notes.push({
      source: `dispute:${disputeId}:closed`,
      event: 'dispute.closed',
      detail: `The dispute over ${amount} has ended: ${inWords(status)}.`,
      alarm: true,
    });
  } else if (status.endsWith('under_review')) {
    notes.push({
      source: `dispute:${disputeId}:under_review`,
      event: 'dispute.updated',
      detail: `The bank looks at the shop's answer to the dispute over ${amount}.`,
    });
  }
  return notes;
}

function inWords(word: string): string {
  return word.replaceAll('_', ' ');
}

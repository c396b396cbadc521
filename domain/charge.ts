/**
 * What became of the money of a payment after it was paid, as pure functions: refunds, disputes, reviews and fraud
 * warnings, whoever caused them. Every decision follows from what Stripe says now, never from what an event once said.
 */
import { formatMoney } from './money.ts';

export type Refund = {
  readonly refundId: string;
  readonly amountMinor: number;
  /** Stripe's status: `pending`, `succeeded`, `failed`, `canceled` or `requires_action`. */
  readonly status: string;
  /** The order id that our key wrote into its metadata; null for a refund made in Stripe's dashboard. */
  readonly orderId: string | null;
  /** Of a part that an operator refunded here: the id of its row, which our own key wrote into it. */
  readonly partId?: string;
  readonly failureReason: string | null;
};

export type Dispute = {
  readonly disputeId: string;
  readonly status: string;
  readonly reason: string;
  readonly amountMinor: number;
};

/** A successful charge at Stripe with everything that has happened to it, as of one moment. */
export type Charge = {
  readonly paymentIntentId: string;
  /** The order id that our key wrote into the payment's metadata; a buyer cannot set it. */
  readonly orderId: string | null;
  readonly amountMinor: number;
  /** ISO 4217, upper case. */
  readonly currency: string;
  /** The total that Stripe has accepted to refund. */
  readonly refundedMinor: number;
  readonly refunds: readonly Refund[];
  readonly disputes: readonly Dispute[];
  readonly review: { readonly reviewId: string; readonly open: boolean; readonly reason: string } | null;
  readonly fraudWarnings: readonly { readonly warningId: string; readonly fraudType: string }[];
  /** When it was read from Stripe, in ms since 1970. */
  readonly readAtMs: number;
};

/** An entry of the timeline that changes no status. `source` is what caused it: one source, one entry. */
export type Note = {
  readonly source: string;
  readonly event: string;
  /** For people: what happened. */
  readonly detail: string;
  /** Whether an operator should look at it. */
  readonly alarm?: boolean;
};

/** What can make a payment doubtful while the shop still has the money. */
export const doubts = ['disputed', 'in_review', 'fraud_warning', 'part_refunded'] as const;
export type Doubt = (typeof doubts)[number];

/** A dispute's statuses in which the bank's decision is final (https://docs.stripe.com/api/disputes/object). */
const DECIDED: ReadonlySet<string> = new Set(['won', 'lost', 'warning_closed', 'prevented']);

/** Whether the bank has decided a dispute. */
export function isDecided({ status }: Pick<Dispute, 'status'>): boolean {
  return DECIDED.has(status);
}

/** Whether this is only an inquiry: no money is withdrawn, and the charge can be refunded, which ends the inquiry. */
function isInquiry({ status }: Pick<Dispute, 'status'>): boolean {
  return status.startsWith('warning_');
}

/** Whether Stripe refuses to refund a charge for now, because a bank has not decided. */
export function isRefundBlocked({ disputes }: Charge): boolean {
  return disputes.some((dispute) => !isDecided(dispute) && !isInquiry(dispute));
}

/**
 * The final statuses of a refund whose money is back with the shop (https://docs.stripe.com/refunds#failed-refunds).
 */
export const DID_NOT_ARRIVE: ReadonlySet<string> = new Set(['failed', 'canceled']);

/** Returns how much of a charge the shop has kept, in minor units: charged − refunded − lost in disputes. */
export function keptOf(charge: Charge): number {
  return Math.max(0, charge.amountMinor - charge.refundedMinor - lostOf(charge));
}

/** Returns how much of a charge banks have taken back for good, in minor units. */
export function lostOf({ disputes }: Pick<Charge, 'disputes'>): number {
  return disputes.filter(({ status }) => status === 'lost').reduce((sum, { amountMinor }) => sum + amountMinor, 0);
}

/** Returns what Stripe has accepted to refund, and has not got back, in minor units. */
export function refundedOf(refunds: readonly Refund[]): number {
  return refunds
    .filter(({ status }) => !DID_NOT_ARRIVE.has(status))
    .reduce((sum, { amountMinor }) => sum + amountMinor, 0);
}

/**
 * Returns the doubts about a charge for which goods should perhaps not leave yet; empty if there are none, or no money
 * is left.
 */
export function doubtsAbout(charge: Charge): Doubt[] {
  const kept = keptOf(charge);
  if (kept === 0) return [];
  const found: Doubt[] = [];
  if (charge.disputes.some((dispute) => !isDecided(dispute))) found.push('disputed');
  if (charge.review?.open === true) found.push('in_review');
  if (charge.fraudWarnings.length > 0 && !wonAllDisputes(charge)) found.push('fraud_warning');
  if (kept + refundedByUs(charge) < charge.amountMinor) found.push('part_refunded');
  return found;
}

/** What an operator has refunded here of an order that is to be shipped all the same. */
function refundedByUs({ refunds }: Charge): number {
  return refundedOf(refunds.filter(({ orderId }) => orderId !== null));
}

/** If the bank has decided a dispute, that overrules its earlier warning. */
function wonAllDisputes({ disputes }: Charge): boolean {
  return disputes.length > 0 && disputes.every(({ status }) => status === 'won');
}

/** How the money of a charge went back, once none of it is left. */
export type WayBack = 'refunded' | 'lostInDispute';

/** Returns how all of the money went back; undefined while some is left. */
export function wayBackOf(charge: Charge): WayBack | undefined {
  if (keptOf(charge) > 0) return undefined;
  return charge.disputes.some(({ status }) => status === 'lost') ? 'lostInDispute' : 'refunded';
}

/** Describes for an order's timeline how its money went back, in words for the customer. */
export function describeWayBack(way: WayBack): string {
  return way === 'refunded'
    ? 'The payment was refunded in full.'
    : 'Your bank decided the dispute in your favour and returned the payment.';
}

/** What the timeline says of an order once all of its money has gone back, and its goods too if they are restocked. */
export function describeRefund(reason: string, wayBack: WayBack, restock: boolean): string {
  return `${reason} ${describeWayBack(wayBack)}${restock ? ' The goods are back in stock.' : ''}`;
}

/**
 * Returns all notes that the timeline should have on a charge. They follow from the charge's state alone, so lost, late
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

/** Whether a refund that we made for this order did not reach the customer, so that the shop must pay another way. */
export function hasFailedRefund({ refunds }: Charge, orderId: string): boolean {
  return refunds.some((refund) => refund.orderId === orderId && DID_NOT_ARRIVE.has(refund.status));
}

/** Our own refunds are not noted here: the entries that requested them tell of them. */
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
      detail: `The refund of ${amount} did not reach the customer (${inWords(failureReason ?? status)}); refund it again, or pay it another way.`,
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
    detail: 'Stripe asks for a manual review of the payment.',
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
      detail: `The payment of ${amount} is disputed: ${inWords(reason)}.`,
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
      detail: `The bank is reviewing the shop's evidence in the dispute over ${amount}.`,
    });
  }
  return notes;
}

function inWords(word: string): string {
  return word.replaceAll('_', ' ');
}

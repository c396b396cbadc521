import type { Stripe } from 'stripe';
import {
  buildBalanceTransaction,
  buildDispute,
  changeDispute,
  findDispute,
  isInquiry,
  type NewDispute,
} from './dispute-objects.ts';
import { refused, resourceMissing } from './errors.ts';
import { emit, NO_REQUEST, type Account } from './events.ts';
import { formatAmount } from './money.ts';
import { endReviewAndWarnings } from './radar.ts';
import { failRefund } from './refunds.ts';

/**
 * The customer's bank takes the money back, or, for an inquiry, asks about the payment first.
 *
 * @param dispute how much is disputed, in minor units: what was not refunded, if left out. As at Stripe it can be up to
 *   the whole charge, even after a partial refund.
 * @throws StripeApiError if there is no such charge, it took no money, it has been fully refunded, or it was disputed before
 */
export function openDispute(
  account: Account,
  chargeId: string,
  { reason, amount, inquiry = false }: Partial<NewDispute> & Pick<NewDispute, 'reason'>,
): Stripe.Dispute {
  const charge = account.store.get('charges', chargeId);
  if (charge === undefined) throw resourceMissing('charge', chargeId, 'charge');
  if (charge.status !== 'succeeded') throw refused(`Charge ${chargeId} took no money; it cannot be disputed.`);
  if (charge.disputed) throw refused(`Charge ${chargeId} is disputed already.`);
  const left = charge.amount - refundedOf(account, charge.id);
  if (left === 0) throw refused(`Charge ${chargeId} has been refunded in full; it cannot be disputed.`);
  if (amount !== undefined && amount > charge.amount) {
    const most = formatAmount(charge.amount, charge.currency);
    throw refused(`Charge ${chargeId} is of ${most}; not more than that can be disputed.`);
  }
  const opened = buildDispute(account, charge, { reason, amount: amount ?? left, inquiry });
  account.store.put('disputes', opened.id, opened);
  account.store.put('charges', charge.id, { ...charge, disputed: true });
  const withdrawn = inquiry ? opened : withdraw(account, opened);
  emit(account, 'charge.dispute.created', withdrawn, NO_REQUEST);
  if (!inquiry) emit(account, 'charge.dispute.funds_withdrawn', withdrawn, NO_REQUEST);
  if (!inquiry) failPendingRefunds(account, charge.id);
  endReviewAndWarnings(account, charge.id, 'disputed', NO_REQUEST);
  return withdrawn;
}

/** The shop answers a dispute or an inquiry at the dashboard, and the bank reviews the answer. */
export function submitEvidence(account: Account, id: string): Stripe.Dispute {
  const before = findDispute(account, id);
  const { status } = before;
  if (status !== 'needs_response' && status !== 'warning_needs_response') {
    throw refused(`Dispute ${id} waits for no evidence; its status is ${status}.`);
  }
  const dispute = changeDispute(account, id, {
    status: status === 'needs_response' ? 'under_review' : 'warning_under_review',
    evidence_details: {
      ...before.evidence_details,
      has_evidence: true,
      submission_count: before.evidence_details.submission_count + 1,
      submission_method: 'manual',
    },
  });
  const { evidence_details } = before;
  emit(account, 'charge.dispute.updated', dispute, NO_REQUEST, { status, evidence_details });
  return dispute;
}

/** The bank is not satisfied with the answer to its inquiry and takes the money back. The dispute keeps its id. */
export function escalateInquiry(account: Account, id: string): Stripe.Dispute {
  const before = findDispute(account, id);
  if (!isInquiry(before)) throw refused(`Dispute ${id} is no open inquiry; its status is ${before.status}.`);
  const changed = changeDispute(account, id, { status: 'needs_response', is_charge_refundable: false });
  const dispute = withdraw(account, changed);
  emit(account, 'charge.dispute.updated', dispute, NO_REQUEST, { status: before.status, is_charge_refundable: true });
  emit(account, 'charge.dispute.funds_withdrawn', dispute, NO_REQUEST);
  failPendingRefunds(account, chargeOf(dispute));
  return dispute;
}

/**
 * A dispute ends. Won, the money comes back. Lost, it does not, except for what had been refunded before: the shop
 * never pays that twice. An inquiry ends as `warning_closed`.
 *
 * @throws StripeApiError if the dispute has ended, or cannot end in this way
 */
export function closeDispute(account: Account, id: string, status: 'won' | 'lost' | 'warning_closed'): Stripe.Dispute {
  const before = findDispute(account, id);
  const isOpen = before.status === 'needs_response' || before.status === 'under_review' || isInquiry(before);
  if (!isOpen) throw refused(`Dispute ${id} is closed: ${before.status}.`);
  if (isInquiry(before) !== (status === 'warning_closed')) {
    throw refused(`Dispute ${id} has the status ${before.status}; it cannot end as ${status}.`);
  }
  const returned = { won: () => before.amount, lost: () => refundedTwice(account, before), warning_closed: () => 0 };
  const back = returned[status]();
  const transactions = back === 0 ? [] : [buildBalanceTransaction(account, before, back)];
  const dispute = changeDispute(account, id, {
    status,
    balance_transactions: [...before.balance_transactions, ...transactions],
    is_charge_refundable: status !== 'lost',
  });
  emit(account, 'charge.dispute.closed', dispute, NO_REQUEST);
  if (back > 0) emit(account, 'charge.dispute.funds_reinstated', dispute, NO_REQUEST);
  return dispute;
}

function withdraw(account: Account, dispute: Stripe.Dispute): Stripe.Dispute {
  const transaction = buildBalanceTransaction(account, dispute, -dispute.amount);
  return changeDispute(account, dispute.id, { balance_transactions: [transaction] });
}

/** Stripe fails a refund that is still pending when its charge is disputed, so the customer is not paid twice. */
function failPendingRefunds(account: Account, chargeId: string): void {
  for (const { id, charge, status } of account.store.all('refunds')) {
    if (charge === chargeId && status === 'pending') failRefund(account, id, 'charge_for_pending_refund_disputed');
  }
}

function refundedOf(account: Account, chargeId: string): number {
  return account.store
    .all('refunds')
    .filter(({ charge, status }) => charge === chargeId && status === 'succeeded')
    .reduce((sum, { amount }) => sum + amount, 0);
}

/** How much of a dispute the customer had already been refunded. */
function refundedTwice(account: Account, dispute: Stripe.Dispute): number {
  const chargeId = chargeOf(dispute);
  const charged = account.store.get('charges', chargeId)?.amount ?? 0;
  return Math.max(0, dispute.amount + refundedOf(account, chargeId) - charged);
}

function chargeOf({ charge }: Stripe.Dispute): string {
  return typeof charge === 'string' ? charge : charge.id;
}

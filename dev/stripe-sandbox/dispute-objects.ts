import type { Stripe } from 'stripe';
import { resourceMissing } from './errors.ts';
import { emit, seconds, type Account, type Cause } from './events.ts';
import { newId } from './ids.ts';

const EMPTY_EVIDENCE = {
  access_activity_log: null,
  billing_address: null,
  cancellation_policy: null,
  cancellation_policy_disclosure: null,
  cancellation_rebuttal: null,
  customer_communication: null,
  customer_email_address: null,
  customer_name: null,
  customer_purchase_ip: null,
  customer_signature: null,
  duplicate_charge_documentation: null,
  duplicate_charge_explanation: null,
  duplicate_charge_id: null,
  enhanced_evidence: {},
  product_description: null,
  receipt: null,
  refund_policy: null,
  refund_policy_disclosure: null,
  refund_refusal_explanation: null,
  service_date: null,
  service_documentation: null,
  shipping_address: null,
  shipping_carrier: null,
  shipping_date: null,
  shipping_documentation: null,
  shipping_tracking_number: null,
  uncategorized_file: null,
  uncategorized_text: null,
} satisfies Stripe.Dispute.Evidence;

const RESPONSE_DAYS = 9;

export type NewDispute = { amount: number; reason: string; inquiry: boolean };

export function buildDispute(account: Account, charge: Stripe.Charge, from: NewDispute): Stripe.Dispute {
  return {
    id: newId('du'),
    object: 'dispute',
    amount: from.amount,
    balance_transactions: [],
    charge: charge.id,
    created: seconds(account),
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: EMPTY_EVIDENCE,
    evidence_details: {
      due_by: seconds(account) + RESPONSE_DAYS * 24 * 3600,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: 'not_submitted',
    },
    intended_submission_method: null,
    is_charge_refundable: from.inquiry,
    livemode: false,
    metadata: {},
    payment_intent: charge.payment_intent,
    reason: from.reason,
    status: from.inquiry ? 'warning_needs_response' : 'needs_response',
  } satisfies Stripe.Dispute;
}

/** Money that a dispute moves, from the account (negative) or back to it. Stripe's fees are left out. */
export function buildBalanceTransaction(
  account: Account,
  dispute: Stripe.Dispute,
  amount: number,
): Stripe.BalanceTransaction {
  return {
    id: newId('txn'),
    object: 'balance_transaction',
    amount,
    available_on: seconds(account),
    balance_type: 'payments',
    created: seconds(account),
    currency: dispute.currency,
    description: amount < 0 ? 'Chargeback withdrawal' : 'Chargeback reversal',
    exchange_rate: null,
    fee: 0,
    fee_details: [],
    net: amount,
    reporting_category: amount < 0 ? 'dispute' : 'dispute_reversal',
    source: dispute.id,
    status: 'available',
    type: 'adjustment',
  } satisfies Stripe.BalanceTransaction;
}

/** @throws StripeApiError 404 */
export function findDispute(account: Account, id: string): Stripe.Dispute {
  const dispute = account.store.get('disputes', id);
  if (dispute === undefined) throw resourceMissing('dispute', id, 'dispute');
  return dispute;
}

/** Puts a dispute back with what changed, and returns its new form. */
export function changeDispute(account: Account, id: string, changes: Partial<Stripe.Dispute>): Stripe.Dispute {
  const dispute: Stripe.Dispute = { ...findDispute(account, id), ...changes };
  account.store.put('disputes', id, dispute);
  return dispute;
}

/** Whether a dispute is only an inquiry: its bank asks, and has not taken the money back. */
export function isInquiry({ status }: Stripe.Dispute): boolean {
  return status === 'warning_needs_response' || status === 'warning_under_review';
}

/** A refund in full marks the inquiry about a charge as resolved (docs.stripe.com/disputes). */
export function closeRefundedInquiries(account: Account, chargeId: string, cause: Cause): void {
  for (const { id, charge } of account.store.all('disputes').filter(isInquiry)) {
    if (charge !== chargeId) continue;
    const closed = changeDispute(account, id, { status: 'warning_closed', is_charge_refundable: false });
    emit(account, 'charge.dispute.closed', closed, cause);
  }
}

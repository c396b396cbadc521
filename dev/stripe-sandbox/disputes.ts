import type { Stripe } from 'stripe';
import { refused, resourceMissing } from './errors.ts';
import { emit, NO_REQUEST, seconds, type Account } from './events.ts';
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

/**
 * The customer's bank takes the money back.
 *
 * @throws StripeApiError when there is no such charge, it took no money, or it is disputed already
 */
export function openDispute(account: Account, chargeId: string, reason: string): Stripe.Dispute {
  const charge = account.store.get('charges', chargeId);
  if (charge === undefined) throw resourceMissing('charge', chargeId, 'charge');
  if (charge.status !== 'succeeded') throw refused(`Charge ${chargeId} took no money; it cannot be disputed.`);
  if (charge.disputed) throw refused(`Charge ${chargeId} is disputed already.`);
  const dispute = {
    id: newId('du'),
    object: 'dispute',
    amount: charge.amount,
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
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent: charge.payment_intent,
    reason,
    status: 'needs_response',
  } satisfies Stripe.Dispute;
  account.store.put('disputes', dispute.id, dispute);
  account.store.put('charges', charge.id, { ...charge, disputed: true });
  emit(account, 'charge.dispute.created', dispute, NO_REQUEST);
  emit(account, 'charge.dispute.funds_withdrawn', dispute, NO_REQUEST);
  return dispute;
}

/** The dispute ends: won, and the money comes back; or lost. */
export function closeDispute(account: Account, id: string, status: 'won' | 'lost'): Stripe.Dispute {
  const before = account.store.get('disputes', id);
  if (before === undefined) throw resourceMissing('dispute', id, 'dispute');
  if (before.status === 'won' || before.status === 'lost') throw refused(`Dispute ${id} is closed: ${before.status}.`);
  const dispute: Stripe.Dispute = { ...before, status };
  account.store.put('disputes', id, dispute);
  emit(account, 'charge.dispute.closed', dispute, NO_REQUEST);
  if (status === 'won') emit(account, 'charge.dispute.funds_reinstated', dispute, NO_REQUEST);
  return dispute;
}

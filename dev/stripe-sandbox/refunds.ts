import type { Stripe } from 'stripe';
import { z } from 'zod';
import { closeRefundedInquiries } from './dispute-objects.ts';
import { invalidRequest, notChargeable, refused, resourceMissing } from './errors.ts';
import { emit, NO_REQUEST, seconds, type Account, type Cause } from './events.ts';
import { newId } from './ids.ts';
import { formatAmount, whyNotChargeable } from './money.ts';
import * as params from './params.ts';
import { endReviewAndWarnings } from './radar.ts';

export const refundCreateParams = z.strictObject({
  payment_intent: params.nonEmpty(100).optional(),
  charge: params.nonEmpty(100).optional(),
  amount: params.integer.refine((amount) => amount >= 1, 'must be at least 1').optional(),
  reason: z.enum(['duplicate', 'fraudulent', 'requested_by_customer']).optional(),
  metadata: params.metadata.default({}),
});

export const refundUpdateParams = z.strictObject({ metadata: params.metadata.default({}) });

/** @throws StripeApiError 404 */
export function findRefund(account: Account, id: string): Stripe.Refund {
  const refund = account.store.get('refunds', id);
  if (refund === undefined) throw resourceMissing('refund', id, 'refund');
  return refund;
}

function chargeToRefund(account: Account, input: z.output<typeof refundCreateParams>): Stripe.Charge {
  if (input.payment_intent !== undefined) {
    const record = account.store.get('paymentIntents', input.payment_intent);
    if (record === undefined) throw resourceMissing('payment_intent', input.payment_intent, 'payment_intent');
    const { latest_charge: chargeId, status } = record.paymentIntent;
    const charge = typeof chargeId === 'string' ? account.store.get('charges', chargeId) : undefined;
    if (charge === undefined || status !== 'succeeded') {
      throw refused(`This PaymentIntent (${input.payment_intent}) does not have a successful charge to refund.`);
    }
    return charge;
  }
  if (input.charge === undefined) {
    throw invalidRequest('Missing required param: payment_intent or charge.', 'payment_intent', 'parameter_missing');
  }
  const charge = account.store.get('charges', input.charge);
  if (charge === undefined) throw resourceMissing('charge', input.charge, 'charge');
  if (charge.status !== 'succeeded') throw refused(`Charge ${charge.id} took no money; it cannot be refunded.`);
  return charge;
}

/**
 * Gives money back; all that is left of the charge unless an amount is given.
 *
 * @param begins `pending` for a refund that {@link settleRefund} or {@link failRefund} ends
 */
export function createRefund(
  account: Account,
  input: z.output<typeof refundCreateParams>,
  cause: Cause,
  begins: 'succeeded' | 'pending' = 'succeeded',
): Stripe.Refund {
  const charge = chargeToRefund(account, input);
  if (charge.refunded) throw refused(`Charge ${charge.id} has already been refunded.`, 'charge_already_refunded');
  // What is left of a charge that was disputed in part is refused too: Stripe's docs promise no refund of it.
  const chargedBack = account.store
    .all('disputes')
    .some((dispute) => dispute.charge === charge.id && !dispute.is_charge_refundable);
  if (chargedBack)
    throw refused(`Charge ${charge.id} has been charged back; cannot issue a refund.`, 'charge_disputed');
  const left = charge.amount - charge.amount_refunded;
  const amount = input.amount ?? left;
  if (amount > left) {
    throw refused(
      `Refund amount (${formatAmount(amount, charge.currency)}) is greater than unrefunded amount on charge (${formatAmount(left, charge.currency)})`,
      undefined,
      { param: 'amount' },
    );
  }
  const why = whyNotChargeable(amount, charge.currency);
  if (why !== undefined) throw notChargeable(why, 'amount');
  const pending = begins === 'pending' || refundsArePending(account, charge);
  const refund = {
    id: newId('re'),
    object: 'refund',
    amount,
    balance_transaction: null,
    charge: charge.id,
    created: seconds(account),
    currency: charge.currency,
    customer: null,
    customer_account: null,
    destination_details: {
      type: 'card',
      card: { reference_status: 'pending', reference_type: 'acquirer_reference_number', type: 'refund' },
    },
    metadata: params.mergeMetadata({}, input.metadata),
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    ...(pending ? { pending_reason: 'processing' } : {}),
    reason: input.reason ?? null,
    receipt_number: null,
    source_transfer_reversal: null,
    status: pending ? 'pending' : 'succeeded',
    transfer_reversal: null,
  } satisfies Stripe.Refund;
  account.store.put('refunds', refund.id, refund);
  emit(account, 'refund.created', refund, cause);
  const changed = changeRefunded(account, charge, amount);
  const { amount_refunded, refunded } = charge;
  emit(account, 'charge.refunded', changed, cause, { amount_refunded, refunded });
  if (changed.refunded) {
    const closed = input.reason === 'fraudulent' ? 'refunded_as_fraud' : 'refunded';
    endReviewAndWarnings(account, charge.id, closed, cause);
    closeRefundedInquiries(account, charge.id, cause);
  }
  return refund;
}

function refundsArePending({ store }: Account, { payment_intent: id }: Stripe.Charge): boolean {
  return typeof id === 'string' && store.get('paymentIntents', id)?.refundsArePending === true;
}

function changeRefunded(account: Account, charge: Stripe.Charge, byAmount: number): Stripe.Charge {
  const refunded = charge.amount_refunded + byAmount;
  const changed: Stripe.Charge = { ...charge, amount_refunded: refunded, refunded: refunded === charge.amount };
  account.store.put('charges', charge.id, changed);
  return changed;
}

export function updateRefund(
  account: Account,
  id: string,
  input: z.output<typeof refundUpdateParams>,
  cause: Cause,
): Stripe.Refund {
  const before = findRefund(account, id);
  const { metadata } = before;
  const refund: Stripe.Refund = { ...before, metadata: params.mergeMetadata(metadata ?? {}, input.metadata) };
  putUpdated(account, refund, cause, { metadata });
  return refund;
}

/** A pending refund reaches the customer. */
export function settleRefund(account: Account, id: string): Stripe.Refund {
  const { pending_reason, ...before } = findRefund(account, id);
  if (before.status !== 'pending') throw refused(`Refund ${id} is not pending; its status is ${before.status}.`);
  const refund: Stripe.Refund = { ...before, status: 'succeeded' };
  putUpdated(account, refund, NO_REQUEST, { status: 'pending', pending_reason });
  return refund;
}

/**
 * A refund that Stripe had accepted fails, as when the customer's bank sends it back: the charge counts as not refunded
 * again.
 */
export function failRefund(account: Account, id: string, reason: string): Stripe.Refund {
  const { pending_reason, ...before } = findRefund(account, id);
  const { status } = before;
  if (status !== 'succeeded' && status !== 'pending') {
    throw refused(`Refund ${id} cannot fail; its status is ${status}.`);
  }
  const refund: Stripe.Refund = { ...before, status: 'failed', failure_reason: reason };
  const charge = typeof before.charge === 'string' ? account.store.get('charges', before.charge) : undefined;
  if (charge !== undefined) changeRefunded(account, charge, -before.amount);
  const pending = pending_reason === undefined ? {} : { pending_reason };
  putUpdated(account, refund, NO_REQUEST, { status, failure_reason: null, ...pending });
  emit(account, 'refund.failed', refund, NO_REQUEST);
  return refund;
}

/** Stripe reports an update of a charge's refund twice: as the old event type and as the new one. */
function putUpdated(account: Account, refund: Stripe.Refund, cause: Cause, previous: object): void {
  account.store.put('refunds', refund.id, refund);
  if (refund.charge !== null) emit(account, 'charge.refund.updated', refund, cause, previous);
  emit(account, 'refund.updated', refund, cause, previous);
}

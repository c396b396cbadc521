import type { Stripe } from 'stripe';
import { z } from 'zod';
import { invalidRequest, refused, resourceMissing } from './errors.ts';
import { emit, NO_REQUEST, seconds, type Account, type Cause } from './events.ts';
import { newId } from './ids.ts';
import { formatAmount } from './money.ts';
import * as params from './params.ts';

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

/** Gives money back; all that is left of the charge unless an amount is given. */
export function createRefund(
  account: Account,
  input: z.output<typeof refundCreateParams>,
  cause: Cause,
): Stripe.Refund {
  const charge = chargeToRefund(account, input);
  if (charge.refunded) throw refused(`Charge ${charge.id} has already been refunded.`, 'charge_already_refunded');
  const lost = account.store
    .all('disputes')
    .some((dispute) => dispute.charge === charge.id && dispute.status !== 'won');
  if (lost) throw refused(`Charge ${charge.id} has been charged back; cannot issue a refund.`, 'charge_disputed');
  const left = charge.amount - charge.amount_refunded;
  const amount = input.amount ?? left;
  if (amount > left) {
    throw refused(
      `Refund amount (${formatAmount(amount, charge.currency)}) is greater than unrefunded amount on charge (${formatAmount(left, charge.currency)})`,
      undefined,
      { param: 'amount' },
    );
  }
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
    reason: input.reason ?? null,
    receipt_number: null,
    source_transfer_reversal: null,
    status: 'succeeded',
    transfer_reversal: null,
  } satisfies Stripe.Refund;
  account.store.put('refunds', refund.id, refund);
  emit(account, 'refund.created', refund, cause);
  const changed = changeRefunded(account, charge, amount);
  emit(account, 'charge.refunded', changed, cause);
  return refund;
}

function changeRefunded(account: Account, charge: Stripe.Charge, byAmount: number): Stripe.Charge {
  const refunded = charge.amount_refunded + byAmount;
  const changed: Stripe.Charge = { ...charge, amount_refunded: refunded, refunded: refunded === charge.amount };
  account.store.put('charges', charge.id, changed);
  return changed;
}

export function updateRefund(account: Account, id: string, input: z.output<typeof refundUpdateParams>): Stripe.Refund {
  const before = findRefund(account, id);
  const refund: Stripe.Refund = { ...before, metadata: params.mergeMetadata(before.metadata ?? {}, input.metadata) };
  account.store.put('refunds', id, refund);
  return refund;
}

/**
 * A refund that Stripe had accepted fails later, as when the customer's bank sends it back: the charge counts as not
 * refunded again.
 */
export function failRefund(account: Account, id: string, reason: string): Stripe.Refund {
  const before = findRefund(account, id);
  if (before.status !== 'succeeded') throw refused(`Refund ${id} cannot fail; its status is ${before.status}.`);
  const refund: Stripe.Refund = { ...before, status: 'failed', failure_reason: reason };
  account.store.put('refunds', id, refund);
  const charge = typeof before.charge === 'string' ? account.store.get('charges', before.charge) : undefined;
  if (charge !== undefined) changeRefunded(account, charge, -before.amount);
  emit(account, 'refund.updated', refund, NO_REQUEST);
  emit(account, 'refund.failed', refund, NO_REQUEST);
  return refund;
}

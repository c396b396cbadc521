import { Stripe } from 'stripe';
import { type Charge, type Dispute, type Refund, refundedOf } from '../domain/charge.ts';

/** Stripe's largest page. */
const PAGE = 100;

/**
 * Reads what became of a payment's money: refunds, disputes, review and fraud warnings, whoever caused them. Up to four
 * requests, so it is not called on an order's usual path.
 *
 * @throws if the payment took no money, or Stripe's answer does not show it yet: then it is retried
 */
export async function readCharge(stripe: Stripe, paymentIntentId: string): Promise<Charge> {
  const read = await findCharge(stripe, paymentIntentId);
  if (typeof read === 'string') throw new Error(`Payment ${paymentIntentId} has no successful charge at Stripe`);
  return read;
}

/**
 * Reads the same of a payment that may have taken no money.
 *
 * @returns `pending` if the bank has not said yet whether it pays, `none` if nothing was charged
 */
export async function findCharge(stripe: Stripe, paymentIntentId: string): Promise<Charge | 'pending' | 'none'> {
  const readAtMs = Date.now();
  const read = await stripe.paymentIntents.retrieve(paymentIntentId, { expand: ['latest_charge.review'] });
  const { latest_charge: charge, metadata } = answered(read, `payment ${paymentIntentId}`);
  if (typeof charge !== 'object' || charge === null || charge.status === 'failed') return 'none';
  if (charge.status !== 'succeeded') return 'pending';
  const ofPayment = { payment_intent: paymentIntentId };
  const page = { ...ofPayment, limit: PAGE };
  const [refunds, disputes, warnings] = await Promise.all([
    all(stripe.refunds.list(page)),
    charge.disputed ? readDisputes(stripe, ofPayment) : [],
    ifAllowed(all(stripe.radar.earlyFraudWarnings.list(page))),
  ]);
  const { review } = charge;
  // Stripe lists the newest first; a timeline has the oldest first.
  const refundsOfCharge = refunds.toReversed().map(toRefund);
  return {
    paymentIntentId,
    orderId: metadata['order_id'] ?? null,
    amountMinor: charge.amount_captured,
    currency: charge.currency.toUpperCase(),
    // Not the charge's own sum: it was read a moment before the list, and a refund may have come or failed between.
    refundedMinor: refundedOf(refundsOfCharge),
    refunds: refundsOfCharge,
    disputes,
    review:
      typeof review === 'object' && review !== null
        ? { reviewId: review.id, open: review.open, reason: review.reason }
        : null,
    fraudWarnings: warnings.map(({ id, fraud_type: fraudType }) => ({ warningId: id, fraudType })),
    readAtMs,
  };
}

/** Returns a refund as the decisions know it; who made it is told by what our own key wrote into it. */
export function toRefund(refund: Stripe.Refund): Refund {
  const partId = refund.metadata?.['refund_id'];
  return {
    refundId: refund.id,
    amountMinor: refund.amount,
    status: refund.status ?? 'succeeded',
    orderId: refund.metadata?.['order_id'] ?? null,
    ...(partId !== undefined && { partId }),
    failureReason: refund.failure_reason ?? null,
  };
}

/** Reads the disputes of a payment or a charge, the oldest first. */
export async function readDisputes(
  stripe: Stripe,
  of: { readonly payment_intent: string } | { readonly charge: string },
): Promise<Dispute[]> {
  const disputes = await all(stripe.disputes.list({ ...of, limit: PAGE }));
  return disputes.toReversed().map(({ id, status, reason, amount }) => ({
    disputeId: id,
    status,
    reason,
    amountMinor: amount,
  }));
}

/**
 * The SDK takes a failure whose body has no `error`, such as one from a proxy, for a success: then it holds no object.
 */
export function answered<T extends { readonly id: string }>(object: T, what: string): T {
  if (typeof object.id !== 'string') throw new Error(`Stripe's answer holds no ${what}`);
  return object;
}

async function all<T>(list: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of list) items.push(item);
  return items;
}

/** A restricted key may lack the permission to read Radar's warnings. The shop then learns of none. */
async function ifAllowed<T>(items: Promise<T[]>): Promise<T[]> {
  try {
    return await items;
  } catch (error) {
    if (error instanceof Stripe.errors.StripePermissionError) return [];
    throw error;
  }
}

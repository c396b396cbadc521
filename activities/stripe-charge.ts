import { Stripe } from 'stripe';
import type { Charge } from '../domain/charge.ts';

/** Stripe's largest page. */
const PAGE = 100;

/**
 * Reads what became of a payment's money: refunds, disputes, review and fraud warnings, whoever caused them. Up to four
 * requests, so it is not called on an order's usual path.
 *
 * @throws if the payment took no money, or Stripe's answer does not show it yet: then it is retried
 */
export async function readCharge(stripe: Stripe, paymentIntentId: string): Promise<Charge> {
  const readAtMs = Date.now();
  const read = await stripe.paymentIntents.retrieve(paymentIntentId, { expand: ['latest_charge.review'] });
  const { latest_charge: charge, metadata } = answered(read, `payment ${paymentIntentId}`);
  if (typeof charge !== 'object' || charge === null || charge.status !== 'succeeded') {
    throw new Error(`Payment ${paymentIntentId} has no successful charge at Stripe`);
  }
  const ofPayment = { payment_intent: paymentIntentId, limit: PAGE };
  const [refunds, disputes, warnings] = await Promise.all([
    all(stripe.refunds.list(ofPayment)),
    charge.disputed ? all(stripe.disputes.list(ofPayment)) : [],
    ifAllowed(all(stripe.radar.earlyFraudWarnings.list(ofPayment))),
  ]);
  const { review } = charge;
  return {
    paymentIntentId,
    orderId: metadata['order_id'] ?? null,
    amountMinor: charge.amount_captured,
    currency: charge.currency.toUpperCase(),
    refundedMinor: charge.amount_refunded,
    // Stripe lists the newest first; a timeline has the oldest first.
    refunds: refunds.toReversed().map((refund) => ({
      refundId: refund.id,
      amountMinor: refund.amount,
      status: refund.status ?? 'succeeded',
      orderId: refund.metadata?.['order_id'] ?? null,
      failureReason: refund.failure_reason ?? null,
    })),
    disputes: disputes.toReversed().map(({ id, status, reason, amount }) => ({
      disputeId: id,
      status,
      reason,
      amountMinor: amount,
    })),
    review:
      typeof review === 'object' && review !== null
        ? { reviewId: review.id, open: review.open, reason: review.reason }
        : null,
    fraudWarnings: warnings.map(({ id, fraud_type: fraudType }) => ({ warningId: id, fraudType })),
    readAtMs,
  };
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

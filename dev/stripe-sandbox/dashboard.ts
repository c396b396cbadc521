import type { Stripe } from 'stripe';
import { openDispute } from './disputes.ts';
import { NO_REQUEST, type Account } from './events.ts';
import * as radar from './radar.ts';
import { createRefund } from './refunds.ts';

type DashboardRefund = {
  amountMinor?: number | undefined;
  reason?: 'duplicate' | 'fraudulent' | 'requested_by_customer' | undefined;
  pending?: boolean;
};

/**
 * A person refunds all or part of a payment at Stripe's dashboard. The refund has none of the shop's metadata, and its
 * events name no API request.
 *
 * @throws StripeApiError as a request for the same refund
 */
export function refundAtDashboard(account: Account, paymentIntentId: string, refund: DashboardRefund): Stripe.Refund {
  const { amountMinor: amount, reason, pending = false } = refund;
  const input = { payment_intent: paymentIntentId, amount, reason, metadata: {} };
  return createRefund(account, input, NO_REQUEST, pending ? 'pending' : 'succeeded');
}

/**
 * Closes a review by doing what its reason says: a person approves or refunds the payment, or its bank disputes it. A
 * review that has already closed for this reason is returned unchanged.
 *
 * @throws StripeApiError if it has closed for another reason, or the payment can't be refunded or disputed
 */
export function closeReviewAtDashboard(account: Account, id: string, reason: radar.ClosedReason): Stripe.Review {
  const review = radar.findReview(account, id);
  if (review.closed_reason === reason) return review;
  if (!review.open || reason === 'approved') return radar.closeReview(account, id, reason, NO_REQUEST);
  const chargeId = typeof review.charge === 'string' ? review.charge : '';
  if (reason === 'disputed') {
    openDispute(account, chargeId, { reason: 'fraudulent' });
  } else {
    const why = reason === 'refunded_as_fraud' ? 'fraudulent' : 'requested_by_customer';
    createRefund(account, { charge: chargeId, reason: why, metadata: {} }, NO_REQUEST);
  }
  return radar.findReview(account, id);
}

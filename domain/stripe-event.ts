import type { CheckoutSession } from './payment.ts';

/**
 * The events of Stripe that an order acts on. The webhook answers and counts all others, and does nothing else with
 * them. docs/deployment.md lists them for the endpoint at Stripe; a test compares the two.
 */
export const stripeEventTypes = [
  'checkout.session.completed',
  'checkout.session.expired',
  'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed',
  'payment_intent.payment_failed',
  'charge.refunded',
  'refund.updated',
  'refund.failed',
  'charge.dispute.created',
  'charge.dispute.updated',
  'charge.dispute.closed',
  'review.opened',
  'review.closed',
  'radar.early_fraud_warning.created',
] as const;

export type StripeEventType = (typeof stripeEventTypes)[number];

/** No event of Stripe: our own comparison with Stripe has found what an event should have told. */
export const RECONCILIATION = 'reconciliation';

/**
 * An event of Stripe on its way from the webhook to the decision, reduced to what an order acts on. No card data, no
 * names.
 */
export type StripeEvent = {
  readonly eventId: string;
  readonly type: StripeEventType | typeof RECONCILIATION;
  /** When it happened by Stripe's clock, in ms since 1970. It may arrive days later, and be out of date by then. */
  readonly createdMs: number;
  readonly paymentIntentId: string | null;
} & (
  | { readonly about: 'session'; readonly session: CheckoutSession }
  /** `code` is Stripe's decline code or error code. `delayed`: no card, so the customer cannot just try another one. */
  | { readonly about: 'decline'; readonly code: string; readonly delayed: boolean }
  /**
   * Something happened to a payment: a refund, a dispute, a review, a fraud warning. Such events come in any order, so
   * their content is not used: the receiver reads the charge from Stripe.
   */
  | { readonly about: 'charge' }
);

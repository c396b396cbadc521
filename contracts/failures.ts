/**
 * The types of failures that workflows tell apart. Across Temporal a failure is known by its `type`, never by its class.
 */

/** Stripe refuses to make this payment, and always will: an amount below its minimum, for example. */
export const STRIPE_REFUSED = 'StripeRefused';
/** Stripe keeps a failure of its own under the idempotency key; another key is needed. */
export const STRIPE_KEPT_FAILURE = 'StripeKeptFailure';
/** Stripe does not take our key or our way of asking: the operator's to fix, not the order's fault. */
export const STRIPE_MISCONFIGURED = 'StripeMisconfigured';
/** Stripe refuses the refund for now: the balance is too low, for example. */
export const REFUND_REFUSED = 'RefundRefused';
/** The payment is disputed at the bank: Stripe refunds nothing before the bank has decided. */
export const PAYMENT_DISPUTED = 'PaymentDisputed';
/** The order is in another status than the workflow believes: a bug, or somebody at the database. */
export const TIMELINE_CONFLICT = 'TimelineConflict';
/** The stock was given back before it was taken: an attempt that was given up on came late. */
export const RESERVATION_RELEASED = 'ReservationReleased';

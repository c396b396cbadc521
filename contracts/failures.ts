/**
 * The types of failures that workflows tell apart. Across Temporal a failure is identified by its `type`, never by its
 * class.
 */

/** Stripe refuses to create this payment, and always will: an amount below its minimum, for example. */
export const STRIPE_REFUSED = 'StripeRefused';
/** Stripe has stored a failure of its own under the idempotency key; another key is needed. */
export const STRIPE_KEPT_FAILURE = 'StripeKeptFailure';
/** Stripe rejects our key or our settings: for the operator to fix, not the order's fault. */
export const STRIPE_MISCONFIGURED = 'StripeMisconfigured';
/** Stripe refuses the refund for now: the balance is too low, for example. */
export const REFUND_REFUSED = 'RefundRefused';
/** The payment is disputed: Stripe refunds nothing until the bank has decided. */
export const PAYMENT_DISPUTED = 'PaymentDisputed';
/** The order is not in the status that the workflow expects: a bug, or a change made by hand. */
export const TIMELINE_CONFLICT = 'TimelineConflict';
/** The stock was released before this hold arrived: an abandoned attempt came late. */
export const RESERVATION_RELEASED = 'ReservationReleased';

import type { StripeEvent } from './stripe-event.ts';

export type CancelRequest = {
  /** A sentence for the timeline, which the customer reads. */
  readonly reason: string;
} & Requested;

export type RefundRequest = {
  /** Whether the goods go back into stock. */
  readonly restock: boolean;
  /** A sentence for the timeline, which the customer reads. */
  readonly reason: string;
} & Requested;

export type ReleaseRequest = Requested;

/** The name of the operator who asks; it is recorded, and not shown to the customer. */
type Requested = { readonly operator?: string | undefined };

/** The entry that a refund begins with: the decision survives the run that carries it out. */
export const REFUND_REQUESTED = 'refund.requested';
/** Its source if the order had already finished; an earlier decision may stand beside it. */
export const REFUND_REQUESTED_AFTER_THE_END = `${REFUND_REQUESTED}:FINISHED`;

/** Everything that can reach an order while its workflow runs. Its inbox holds these, and one loop handles them. */
export type OrderMessage =
  | { readonly kind: 'stripeEvent'; readonly event: StripeEvent }
  | { readonly kind: 'cancel'; readonly request: CancelRequest }
  /** An operator wants the payment of a paid order refunded. */
  | { readonly kind: 'refund'; readonly request: RefundRequest }
  /** An operator wants the order shipped although its payment is in doubt. */
  | { readonly kind: 'release'; readonly request: ReleaseRequest }
  | { readonly kind: 'windowEnded' }
  /** Time to ask Stripe about a delayed payment, since its event may be lost. */
  | { readonly kind: 'checkDue' }
  /** The customer is back from Stripe's page, and the webhook has not arrived yet. */
  | { readonly kind: 'customerReturned' };

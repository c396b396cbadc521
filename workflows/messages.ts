import { defineSignal, defineUpdate } from '@temporalio/workflow';
import {
  CANCEL_UPDATE,
  type CancelRequest,
  type CancelResult,
  CREATE_UPDATE,
  type CreateResult,
  CUSTOMER_RETURNED_UPDATE,
  REFUND_UPDATE,
  type RefundRequest,
  type RefundResult,
  STRIPE_EVENT_SIGNAL,
  type StripeEvent,
} from '../contracts/messages.ts';

export const createUpdate = defineUpdate<CreateResult>(CREATE_UPDATE);
export const cancelUpdate = defineUpdate<CancelResult, [CancelRequest]>(CANCEL_UPDATE);
export const refundUpdate = defineUpdate<RefundResult, [RefundRequest]>(REFUND_UPDATE);
export const stripeEventSignal = defineSignal<[StripeEvent]>(STRIPE_EVENT_SIGNAL);
export const customerReturnedUpdate = defineUpdate<void>(CUSTOMER_RETURNED_UPDATE);

/** What an order's inbox holds. */
export type Message =
  | { readonly kind: 'stripeEvent'; readonly event: StripeEvent }
  | { readonly kind: 'cancel'; readonly request: CancelRequest }
  /** An operator wants the money of a paid order given back. */
  | { readonly kind: 'refund'; readonly request: RefundRequest }
  | { readonly kind: 'windowEnded' }
  /** Time to ask Stripe about the payment, since its event may be lost. */
  | { readonly kind: 'checkDue' };

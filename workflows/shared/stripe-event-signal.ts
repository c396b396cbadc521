import { defineSignal } from '@temporalio/workflow';
import { STRIPE_EVENT_SIGNAL } from '../../contracts/messages.ts';
import type { StripeEvent } from '../../domain/stripe-event.ts';

/** How an event of Stripe reaches a running order, and the aftercare of a payment. */
export const stripeEventSignal = defineSignal<[StripeEvent]>(STRIPE_EVENT_SIGNAL);

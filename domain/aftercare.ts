/** What Stripe's events mean for an order that is past its payment or has ended, as pure functions. */
import {
  type Charge,
  describeWayBack,
  hasFailedRefund,
  keptOf,
  type Note,
  notesOn,
  type WayBack,
  wayBackOf,
} from './charge.ts';
import { formatMoney } from './money.ts';
import { unreachable } from './must.ts';
import { isTerminal, type OrderStatus } from './order-status.ts';
import type { StripeEvent } from './stripe-event.ts';

/** What has to be known of an order to say what an event means for it. */
export type PaidOrder = {
  readonly orderId: string;
  readonly status: OrderStatus;
  readonly checkoutSessionId: string | null;
  /** The payment that the order was paid with, if it was. */
  readonly paymentIntentId: string | null;
  /** What the order's row says the shop has of that payment, in minor units. */
  readonly keptAmountMinor: number;
};

/**
 * Whether an event can mean anything to an order that has ended. If not, nothing has to be read or started for it: the
 * end of an unpaid order makes an event itself, as its session expires, and Stripe sends events again.
 *
 * @returns the payment to look at, at Stripe; undefined if the event changes nothing
 */
export function paymentToLookAt(order: PaidOrder, event: StripeEvent): string | undefined {
  switch (event.about) {
    case 'decline':
      return undefined;
    case 'session': {
      const { session } = event;
      if (session.status !== 'complete' || session.payment !== 'paid' || session.paymentIntentId === null)
        return undefined;
      // The payment that the order was paid with: its own event, delivered once more.
      return session.paymentIntentId === order.paymentIntentId ? undefined : session.paymentIntentId;
    }
    case 'charge': {
      // The refund that the row knows of: most refunds are the order's own.
      const isReturned = order.status !== 'FINISHED' && order.keptAmountMinor === 0;
      const isKnown = event.type === 'charge.refunded' && isReturned;
      const isItsPayment = event.paymentIntentId === order.paymentIntentId;
      return isKnown && isItsPayment ? undefined : (event.paymentIntentId ?? undefined);
    }
    default:
      return unreachable(event);
  }
}

export type AftercareDecision = {
  readonly notes: readonly Note[];
  /**
   * `return`: the order does not need this payment, so it is refunded. `refunded`: all money of a FINISHED order went
   * back, and that is its status from now on.
   */
  readonly action:
    | { readonly do: 'nothing' }
    | { readonly do: 'return' }
    | { readonly do: 'refunded'; readonly detail: string };
};

/**
 * Decides what is to be done about a charge once the order is past its payment.
 *
 * @param order `refundIsRequested`: somebody is refunding it, and will write that down
 */
export function decideAftercare(
  order: PaidOrder & { readonly refundIsRequested: boolean },
  event: StripeEvent,
  charge: Charge,
): AftercareDecision {
  const isItsPayment = charge.paymentIntentId === order.paymentIntentId;
  // Money of another sale on the same account is none of our business, whatever a buyer wrote beside it.
  if (!isItsPayment && charge.orderId !== order.orderId) return { notes: [], action: { do: 'nothing' } };
  const notes = notesOn(charge);
  const wayBack = wayBackOf(charge);
  if (!isItsPayment) {
    // An order that still waits may be about to take the payment as its own, unless it was made on another page.
    const isOfOtherSession = event.about === 'session' && event.session.sessionId !== order.checkoutSessionId;
    const isNeeded = order.paymentIntentId === null && !isTerminal(order.status) && !isOfOtherSession;
    // What our refund could not bring back, the shop pays another way; another refund might pay it twice.
    const isReturned = wayBack !== undefined || hasFailedRefund(charge, order.orderId);
    return { notes, action: isReturned || isNeeded ? { do: 'nothing' } : { do: 'return' } };
  }
  if (order.status === 'FINISHED' && wayBack !== undefined && !order.refundIsRequested) {
    return { notes, action: { do: 'refunded', detail: describeWayBack(wayBack) } };
  }
  return { notes, action: { do: 'nothing' } };
}

/** What the timeline says of a payment that the order did not need, once its money has gone back. */
export function noteReturned(charge: Charge, wayBack: WayBack): Note {
  const amount = formatMoney({ amountMinor: keptOf(charge), currency: charge.currency });
  return {
    source: `return:${charge.paymentIntentId}`,
    event: 'payment.returned',
    detail:
      wayBack === 'refunded'
        ? `We received an extra payment of ${amount} and refunded it.`
        : `We received an extra payment of ${amount}, and the bank returned it.`,
  };
}

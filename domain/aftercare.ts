/** What Stripe's events mean for an order that has been paid or has ended, as pure functions. */
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

/** What the decisions need to know of an order. */
export type PaidOrder = {
  readonly orderId: string;
  readonly status: OrderStatus;
  readonly checkoutSessionId: string | null;
  /** The payment that paid for the order, if it was paid. */
  readonly paymentIntentId: string | null;
  /** How much of that payment the shop has kept, according to the order's row, in minor units. */
  readonly keptAmountMinor: number;
};

/**
 * Decides whether an event can matter to an order that has ended. If not, nothing has to be read or started for it: the
 * end of an unpaid order causes an event itself, as its session expires, and Stripe repeats events.
 *
 * @returns the payment to read from Stripe; undefined if the event changes nothing
 */
export function paymentToLookAt(order: PaidOrder, event: StripeEvent): string | undefined {
  switch (event.about) {
    case 'decline':
      return undefined;
    case 'session': {
      const { session } = event;
      if (session.status !== 'complete' || session.payment !== 'paid' || session.paymentIntentId === null)
        return undefined;
      // The payment that paid for the order: its own event, delivered again.
      return session.paymentIntentId === order.paymentIntentId ? undefined : session.paymentIntentId;
    }
    case 'charge': {
      // The row already has the refund: most refunds are the order's own.
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
   * `return`: the order does not need this payment, so it is refunded. `refunded`: all money of a FINISHED order has
   * gone back, so it becomes REFUNDED.
   */
  readonly action:
    | { readonly do: 'nothing' }
    | { readonly do: 'return' }
    | { readonly do: 'refunded'; readonly detail: string };
};

/**
 * Decides what to do about a charge once the order has been paid or has ended.
 *
 * @param order `refundIsRequested`: a refund is under way, and will be recorded by whatever carries it out
 */
export function decideAftercare(
  order: PaidOrder & { readonly refundIsRequested: boolean },
  event: StripeEvent,
  charge: Charge,
): AftercareDecision {
  const isItsPayment = charge.paymentIntentId === order.paymentIntentId;
  // Ignore payments for other sales on the same account, whatever reference a buyer has set.
  if (!isItsPayment && charge.orderId !== order.orderId) return { notes: [], action: { do: 'nothing' } };
  const notes = notesOn(charge);
  const wayBack = wayBackOf(charge);
  if (!isItsPayment) {
    // An order that still waits may be about to accept the payment, unless it was made on another page.
    const isOfOtherSession = event.about === 'session' && event.session.sessionId !== order.checkoutSessionId;
    const isNeeded = order.paymentIntentId === null && !isTerminal(order.status) && !isOfOtherSession;
    // If our refund failed, the shop pays the customer another way; a second refund might pay twice.
    const isReturned = wayBack !== undefined || hasFailedRefund(charge, order.orderId);
    return { notes, action: isReturned || isNeeded ? { do: 'nothing' } : { do: 'return' } };
  }
  if (order.status === 'FINISHED' && wayBack !== undefined && !order.refundIsRequested) {
    return { notes, action: { do: 'refunded', detail: describeWayBack(wayBack) } };
  }
  return { notes, action: { do: 'nothing' } };
}

/** The timeline's note on a payment that the order did not need, once its money has gone back. */
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

/** What the timeline says if the rows alone were wrong: nothing happened that it does not tell. */
export function noteReconciled({ eventId }: Pick<StripeEvent, 'eventId'>): Note {
  return {
    source: eventId,
    event: 'payment.reconciled',
    detail: 'The shop has corrected its record of this payment. Nothing was charged or refunded by that.',
  };
}

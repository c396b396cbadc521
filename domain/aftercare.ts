/** What Stripe's events mean for an order that has ended, as pure functions. */
import { formatMoney, type Money } from './money.ts';
import { unreachable } from './must.ts';
import type { OrderStatus } from './order-status.ts';
import type { CheckoutSession, Note } from './payment.ts';

export type EndedOrder = {
  readonly orderId: string;
  readonly status: OrderStatus;
  /** The payment that the order was paid with, where it was. */
  readonly paymentIntentId: string | null;
};

export type AfterTheEnd =
  | { readonly kind: 'session'; readonly session: CheckoutSession }
  | { readonly kind: 'declined' }
  | ({ readonly kind: 'dispute'; readonly status: string; readonly reason: string } & Money)
  | ({ readonly kind: 'refundFailed'; readonly reason: string } & Money);

export type AftercareStep =
  | { readonly do: 'nothing' }
  | { readonly do: 'note'; readonly note: Note; readonly alarm: boolean }
  /** Give this payment back in full, then write it down. */
  | { readonly do: 'refund'; readonly paymentIntentId: string; readonly note: Note };

/** Decides what an event of Stripe asks for that comes when the order has ended. */
export function decideAftercare(order: EndedOrder, event: AfterTheEnd): AftercareStep {
  switch (event.kind) {
    case 'declined':
      return { do: 'nothing' };
    case 'session':
      return settleLatePayment(order, event.session);
    case 'dispute':
      return {
        do: 'note',
        alarm: true,
        note: {
          event: 'payment.disputed',
          detail: `The payment of ${formatMoney(event)} is disputed at the bank (${event.reason}); the dispute is ${describe(event.status)}.`,
        },
      };
    case 'refundFailed':
      return {
        do: 'note',
        alarm: true,
        note: {
          event: 'refund.failed',
          detail: `The refund of ${formatMoney(event)} did not reach the customer (${describe(event.reason)}); the shop must pay it another way.`,
        },
      };
    default:
      return unreachable(event);
  }
}

function settleLatePayment(order: EndedOrder, session: CheckoutSession): AftercareStep {
  if (session.orderId !== order.orderId || session.status !== 'complete' || session.payment !== 'paid') {
    return { do: 'nothing' };
  }
  // The event of the payment that the order was paid with, delivered once more.
  if (session.paymentIntentId === null || session.paymentIntentId === order.paymentIntentId) return { do: 'nothing' };
  return {
    do: 'refund',
    paymentIntentId: session.paymentIntentId,
    note: {
      event: 'payment.returned',
      detail: `A payment of ${formatMoney(session)} came after the order had ended. It was given back in full.`,
    },
  };
}

function describe(word: string): string {
  return word.replaceAll('_', ' ');
}

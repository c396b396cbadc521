/** What Stripe's events mean for an order that has ended or is past its payment, as pure functions. */
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
  | ({ readonly kind: 'dispute'; readonly type: string; readonly status: string; readonly reason: string } & Money)
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
      return { do: 'note', alarm: NEEDS_PEOPLE.has(event.type), note: noteDispute(event) };
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

/** The bank waits for the shop's evidence, or has decided. */
const NEEDS_PEOPLE: ReadonlySet<string> = new Set(['charge.dispute.created', 'charge.dispute.closed']);

function noteDispute(dispute: Extract<AfterTheEnd, { kind: 'dispute' }>): Note {
  const amount = formatMoney(dispute);
  switch (dispute.type) {
    case 'charge.dispute.created':
      return {
        event: 'payment.disputed',
        detail: `The payment of ${amount} is disputed at the bank: ${describe(dispute.reason)}.`,
      };
    case 'charge.dispute.funds_withdrawn':
      return { event: 'dispute.funds_withdrawn', detail: `The bank has taken ${amount} back while the dispute lasts.` };
    case 'charge.dispute.funds_reinstated':
      return { event: 'dispute.funds_reinstated', detail: `The bank has returned ${amount} to the shop.` };
    case 'charge.dispute.closed':
      return { event: 'dispute.closed', detail: `The dispute over ${amount} has ended: ${describe(dispute.status)}.` };
    default:
      return { event: 'dispute.updated', detail: `The dispute over ${amount} is now: ${describe(dispute.status)}.` };
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
      detail: `A payment of ${formatMoney(session)} came that the order does not need. It was given back in full.`,
    },
  };
}

function describe(word: string): string {
  return word.replaceAll('_', ' ');
}

import type { OrderRecord } from '../../database/orders.ts';
import { isTerminal, type OrderStatus } from '../../domain/order-status.ts';
import { unreachable } from '../../domain/must.ts';

/** What has to be said at the top of the page about what the customer just did. */
export const notices = ['cancelling', 'too-late', 'try-again', 'returned'] as const;
export type Notice = (typeof notices)[number];

export type Tone = 'progress' | 'action' | 'good' | 'neutral';

/** An order in its customer's words: where it stands, and what can be done. */
export type CustomerWords = {
  readonly headline: string;
  readonly text: string;
  readonly tone: Tone;
  /** What went wrong, or what the customer must know besides. */
  readonly alerts: readonly string[];
  readonly canPay: boolean;
  readonly canCancel: boolean;
  /** Whether nothing more happens by itself. */
  readonly ended: boolean;
  /** How far the order is on its way, or undefined where it left the way. */
  readonly step: 0 | 1 | 2 | 3 | undefined;
};

type Order = Pick<OrderRecord, 'status' | 'timeline' | 'paymentLink'>;

/** Says where an order stands, in words that need no knowledge of how it works. */
export function describeForCustomer(order: Order, notice?: Notice): CustomerWords {
  const words = wordsOf(order, notice);
  return {
    ...words,
    alerts: [...noticeAlerts(notice, order.status), ...words.alerts],
    ended: isTerminal(order.status),
  };
}

function wordsOf(order: Order, notice: Notice | undefined): Omit<CustomerWords, 'ended'> {
  const cancelling = notice === 'cancelling';
  switch (order.status) {
    case 'PENDING':
      return cancelling ? beingCancelled(0) : preparing();
    case 'WAITING_FOR_PAYMENT':
      return cancelling ? beingCancelled(1) : waiting(order, notice === 'returned');
    case 'PAID':
      return {
        headline: 'Thank you, your payment has arrived',
        text: 'We are getting your order ready to ship.',
        tone: 'good',
        alerts: lastDetail(order, 'fulfillment.delayed'),
        canPay: false,
        canCancel: false,
        step: 2,
      };
    case 'FINISHED':
      return {
        headline: 'Your order is on its way',
        text: 'It is paid and shipped. You can close this page.',
        tone: 'good',
        alerts: afterTheEnd(order),
        canPay: false,
        canCancel: false,
        step: 3,
      };
    case 'CANCELLED':
      return closed('This order is cancelled', order, 'You owe nothing for it, and no money of yours is kept.');
    case 'EXPIRED':
      return closed('The time to pay is over', order, 'If you still want these items, please order them again.');
    case 'REFUNDED':
      return closed('Your money is on its way back', order, 'Your bank shows it within 5 to 10 working days.');
    default:
      return unreachable(order.status);
  }
}

function preparing(): Omit<CustomerWords, 'ended'> {
  return {
    headline: 'We are preparing your payment',
    text: 'Your items are reserved for you. The link to pay appears here in a moment.',
    tone: 'progress',
    alerts: [],
    canPay: false,
    canCancel: true,
    step: 0,
  };
}

function waiting(order: Order, returned: boolean): Omit<CustomerWords, 'ended'> {
  const last = order.timeline.findLast(({ event }) => event === 'payment.failed' || event === 'payment.processing');
  if (last?.event === 'payment.processing') {
    return {
      headline: 'Your payment is on its way',
      text: 'Your bank needs some time to confirm it, sometimes a few days. You need not do anything; your items stay reserved.',
      tone: 'progress',
      alerts: [],
      canPay: false,
      canCancel: false,
      step: 1,
    };
  }
  if (returned) {
    // Stripe leads here only after a payment; to show its link once more would look like a step back.
    return {
      headline: 'Thank you, we are confirming your payment',
      text: 'This takes a moment. Your items stay reserved.',
      tone: 'progress',
      alerts: [],
      canPay: false,
      canCancel: false,
      step: 1,
    };
  }
  return {
    headline: last === undefined ? 'Your order is ready to be paid' : 'Your payment did not go through',
    text: 'Your items are reserved for you while you pay. Cards are handled safely by Stripe; we never see their numbers.',
    tone: 'action',
    alerts: last === undefined ? [] : [last.detail],
    canPay: true,
    canCancel: true,
    step: 1,
  };
}

function beingCancelled(step: 0 | 1): Omit<CustomerWords, 'ended'> {
  return {
    headline: 'We are cancelling your order',
    text: 'This takes a moment. Should a payment have arrived meanwhile, you get it back in full.',
    tone: 'progress',
    alerts: [],
    canPay: false,
    canCancel: false,
    step,
  };
}

function closed(headline: string, order: Order, advice = ''): Omit<CustomerWords, 'ended'> {
  const reason = order.timeline.findLast(({ status, event }) => status === order.status && event.startsWith('order.'));
  return {
    headline,
    text: [reason?.detail, advice].filter(Boolean).join(' '),
    tone: 'neutral',
    alerts: afterTheEnd(order),
    canPay: false,
    canCancel: false,
    step: undefined,
  };
}

function lastDetail({ timeline }: Order, event: string): string[] {
  const entry = timeline.findLast((candidate) => candidate.event === event);
  return entry === undefined ? [] : [entry.detail];
}

/** What came after the order's end and is the customer's business: their money. A dispute is the shop's. */
function afterTheEnd(order: Order): string[] {
  return order.timeline.flatMap(({ event, detail }) => {
    if (event === 'payment.returned' || event === 'payment.refunded') return [detail];
    if (event === 'refund.failed') {
      return ['Your bank did not take the money that we sent back. We will return it to you in another way.'];
    }
    return [];
  });
}

function noticeAlerts(notice: Notice | undefined, status: OrderStatus): string[] {
  switch (notice) {
    case 'too-late':
      return status === 'PAID' || status === 'FINISHED'
        ? ['It was too late to cancel: the order is already paid.']
        : [];
    case 'try-again':
      return isTerminal(status) ? [] : ['The order could not be cancelled just now. Please try again in a moment.'];
    default:
      return [];
  }
}

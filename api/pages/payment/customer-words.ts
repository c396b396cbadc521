import type { OrderRecord } from '../../../database/orders.ts';
import { unreachable } from '../../../domain/must.ts';
import { isTerminal, type OrderStatus } from '../../../domain/order-status.ts';
import type { Texts } from '../languages/english.ts';

/** Notices at the top of the page about what the customer just did. */
export const notices = ['cancelling', 'too-late', 'try-again', 'returned'] as const;
export type Notice = (typeof notices)[number];

export type Tone = 'progress' | 'action' | 'good' | 'neutral';

/** An order in words for its customer: its progress, and what the customer can do. */
export type CustomerWords = {
  readonly headline: string;
  readonly text: string;
  readonly tone: Tone;
  /** What went wrong, or what else the customer must know. */
  readonly alerts: readonly string[];
  readonly canPay: boolean;
  readonly canCancel: boolean;
  /** Whether the order has ended, so that the page need not follow it. */
  readonly ended: boolean;
  /** The order's step of the usual four; undefined if it was cancelled, expired or refunded. */
  readonly step: 0 | 1 | 2 | 3 | undefined;
};

type Order = Pick<OrderRecord, 'status' | 'timeline' | 'paymentLink'>;

/** Describes an order in words that need no knowledge of how it works. */
export function describeForCustomer(order: Order, texts: Texts, notice?: Notice): CustomerWords {
  const words = wordsOf(order, texts, notice);
  return {
    ...words,
    alerts: [...noticeAlerts(notice, order.status, texts), ...words.alerts],
    ended: isTerminal(order.status),
  };
}

type Words = Omit<CustomerWords, 'ended'>;
type Said = { readonly headline: string; readonly text: string };

const NOTHING_TO_DO = { alerts: [], canPay: false, canCancel: false } as const;

function wordsOf(order: Order, texts: Texts, notice: Notice | undefined): Words {
  const { payment } = texts;
  const isCancelling = notice === 'cancelling';
  switch (order.status) {
    case 'PENDING':
      return isCancelling
        ? { ...payment.cancelling, ...NOTHING_TO_DO, tone: 'progress', step: 0 }
        : { ...payment.preparing, ...NOTHING_TO_DO, tone: 'progress', canCancel: true, step: 0 };
    case 'WAITING_FOR_PAYMENT':
      return isCancelling
        ? { ...payment.cancelling, ...NOTHING_TO_DO, tone: 'progress', step: 1 }
        : waiting(order, texts, notice === 'returned');
    case 'PAID':
      return {
        ...payment.paid,
        ...NOTHING_TO_DO,
        tone: 'good',
        alerts: [...delays(order, texts), ...moneyBack(order, texts)],
        step: 2,
      };
    case 'FINISHED':
      return { ...payment.finished, ...NOTHING_TO_DO, tone: 'good', alerts: moneyBack(order, texts), step: 3 };
    case 'CANCELLED':
      return closed(order, texts, payment.cancelled);
    case 'EXPIRED':
      return closed(order, texts, payment.expired);
    case 'REFUNDED':
      return closed(order, texts, payment.refunded);
    default:
      return unreachable(order.status);
  }
}

function waiting({ timeline }: Order, texts: Texts, returned: boolean): Words {
  const { payment } = texts;
  const last = timeline.findLast(({ event }) => event === 'payment.failed' || event === 'payment.processing');
  if (last?.event === 'payment.processing') {
    return { ...payment.processing, ...NOTHING_TO_DO, tone: 'progress', step: 1 };
  }
  // Stripe leads here only after a payment; showing the payment link again would look like a step back.
  if (returned) return { ...payment.confirming, ...NOTHING_TO_DO, tone: 'progress', step: 1 };
  return {
    text: payment.waiting.text,
    headline: last === undefined ? payment.waiting.headline : payment.declined.headline,
    tone: 'action',
    alerts: last === undefined ? [] : [texts.timelineEntry(last.detail)],
    canPay: true,
    canCancel: true,
    step: 1,
  };
}

function closed(order: Order, texts: Texts, { headline, text }: Said): Words {
  const reason = order.timeline.findLast(({ status, event }) => status === order.status && event.startsWith('order.'));
  return {
    ...NOTHING_TO_DO,
    headline,
    text: [reason === undefined ? '' : texts.timelineEntry(reason.detail), text].filter(Boolean).join(' '),
    tone: 'neutral',
    alerts: moneyBack(order, texts),
    step: undefined,
  };
}

function delays({ timeline }: Order, texts: Texts): string[] {
  const entry = timeline.findLast(({ event }) => event === 'fulfillment.delayed');
  return entry === undefined ? [] : [texts.timelineEntry(entry.detail)];
}

/** What happened to the customer's money after the order's end. A dispute is the shop's business. */
function moneyBack(order: Order, texts: Texts): string[] {
  return order.timeline.flatMap(({ event, detail }) => {
    if (event === 'payment.returned' || event === 'payment.refunded') return [texts.timelineEntry(detail)];
    return event === 'refund.failed' ? [texts.payment.refundDidNotArrive] : [];
  });
}

function noticeAlerts(notice: Notice | undefined, status: OrderStatus, { payment }: Texts): string[] {
  switch (notice) {
    case 'too-late':
      return status === 'PAID' || status === 'FINISHED' ? [payment.tooLate] : [];
    case 'try-again':
      return isTerminal(status) ? [] : [payment.tryAgain];
    default:
      return [];
  }
}

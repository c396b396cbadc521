/**
 * The decisions of an order that waits for its payment, as pure functions: given what is known and what comes in, what
 * to do next. The workflow carries them out; the property tests run thousands of sequences through them.
 */
import type { Charge, Note } from './charge.ts';
import { formatMoney } from './money.ts';
import { unreachable } from './must.ts';
import type { OrderMessage } from './order-message.ts';
import type { StripeEvent } from './stripe-event.ts';

/** What is known of a Checkout Session at Stripe, read from it or from one of its events. */
export type CheckoutSession = {
  readonly sessionId: string;
  /**
   * The order id that our key wrote into the session's metadata. Not `client_reference_id`: a buyer can set that in the
   * address of a Payment Link (https://docs.stripe.com/payment-links/url-parameters).
   */
  readonly orderId: string | null;
  readonly status: 'open' | 'complete' | 'expired';
  /**
   * `failed`: complete, but a delayed payment method has failed. `unpaid` and complete: its result is still to
   * come.
   */
  readonly payment: 'paid' | 'unpaid' | 'failed';
  readonly paymentIntentId: string | null;
  readonly amountMinor: number;
  /** ISO 4217, upper case. */
  readonly currency: string;
  readonly livemode: boolean;
  /** What has become of the money, if the session was read and is paid; an event does not say. */
  readonly charge?: Charge;
};

/** What a payment must match to be the order's. */
export type ExpectedPayment = {
  readonly orderId: string;
  readonly sessionId: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly livemode: boolean;
};

/** Why an order that waits for its payment is to end without it. */
export type Closing = {
  readonly status: 'CANCELLED' | 'EXPIRED';
  readonly detail: string;
  /** The operator who asked for it, if one did. */
  readonly operator?: string | undefined;
};

/** An order that waits for its payment. */
export type AwaitedPayment = {
  readonly expected: ExpectedPayment;
  /** Set once the order is to end; the end waits until Stripe confirms that nothing was paid. */
  readonly closing: Closing | undefined;
  /** A delayed payment is under way. */
  readonly processing: boolean;
  readonly declines: number;
  /**
   * Something happened to the money before the order knew of its payment, so the payment's own event is out of date.
   */
  readonly toldOfCharge: boolean;
};

export function awaitPayment(expected: ExpectedPayment): AwaitedPayment {
  return { expected, closing: undefined, processing: false, declines: 0, toldOfCharge: false };
}

/** What comes in: a message, or the Checkout Session as just read from Stripe. */
export type PaymentNews = OrderMessage | { readonly kind: 'session'; readonly session: CheckoutSession };

/** A payment that matches the order. */
export type Payment = {
  readonly paymentIntentId: string;
  /** The charge as it was read; undefined if only an event reported the payment. */
  readonly charge: Charge | undefined;
  /** Whether something has happened to the money that `charge` does not show, so it has to be read again. */
  readonly isOutdated: boolean;
};

export type PaymentDecision =
  | { readonly do: 'wait'; readonly note?: Note }
  /** Read the Checkout Session at Stripe. */
  | { readonly do: 'readSession' }
  /** Expire the Checkout Session at Stripe, and read what became of it. */
  | { readonly do: 'closeSession' }
  /** The event is about a payment other than the awaited one. */
  | { readonly do: 'handOver'; readonly event: StripeEvent }
  | { readonly do: 'accept'; readonly payment: Payment }
  /** Refund this payment in full, and end the order. */
  | { readonly do: 'refuse'; readonly paymentIntentId: string; readonly detail: string }
  | { readonly do: 'end'; readonly closing: Closing };

type Decided = { readonly state: AwaitedPayment; readonly decision: PaymentDecision };

/** The most declines that are written to the timeline, so that a card tester can't fill it. */
export const MAX_RECORDED_DECLINES = 50;

const WINDOW_ENDED: Closing = { status: 'EXPIRED', detail: 'The order was not paid in time. Nothing was charged.' };
const CLOSED_BY_STRIPE: Closing = {
  status: 'EXPIRED',
  detail: 'The payment page was closed by Stripe before anything was paid.',
};
const BANK_DID_NOT_PAY: Closing = {
  status: 'CANCELLED',
  detail: 'The bank did not pay, so the order was cancelled. Nothing was charged.',
};

/**
 * Decides what an order that waits for its payment does next. Only Stripe's answer ends the wait: Stripe alone decides
 * between a payment, the end of the payment window, and a cancellation.
 */
export function decidePayment(state: AwaitedPayment, news: PaymentNews): Decided {
  switch (news.kind) {
    case 'session':
      return decideOnSession(state, news.session);
    case 'stripeEvent':
      return decideOnEvent(state, news.event);
    case 'cancel':
      return close(state, { status: 'CANCELLED', detail: news.request.reason, operator: news.request.operator });
    case 'windowEnded':
      return close(state, WINDOW_ENDED);
    case 'checkDue':
    case 'customerReturned':
      return { state, decision: { do: 'readSession' } };
    case 'refund':
    case 'release':
      // The validators of these updates refuse them until the order is paid.
      return { state, decision: { do: 'wait' } };
    default:
      return unreachable(news);
  }
}

function decideOnEvent(state: AwaitedPayment, event: StripeEvent): Decided {
  switch (event.about) {
    case 'session':
      return event.session.sessionId === state.expected.sessionId
        ? decideOnSession(state, event.session)
        : { state, decision: { do: 'handOver', event } };
    case 'decline':
      return decline(state, event);
    case 'charge':
      // Something happened to a payment that the order does not know of yet: its own event has not arrived.
      return { state: { ...state, toldOfCharge: true }, decision: { do: 'readSession' } };
    default:
      return unreachable(event);
  }
}

function close(state: AwaitedPayment, closing: Closing): Decided {
  if (state.closing === undefined) return { state: { ...state, closing }, decision: { do: 'closeSession' } };
  // The end is already being settled, and its first reason stands. But a cancel replaces the end of the window: a
  // payment that still arrives is then refunded, while an order that only ran out of time accepts it.
  const outranks = closing.status === 'CANCELLED' && state.closing.status === 'EXPIRED';
  return { state: outranks ? { ...state, closing } : state, decision: { do: 'wait' } };
}

function decline(state: AwaitedPayment, event: Extract<StripeEvent, { readonly about: 'decline' }>): Decided {
  // A delayed payment that the bank refuses is also reported as a decline, before or after the event that it is under
  // way. The customer can't try again; the session shows the result.
  if (event.delayed) return { state, decision: { do: 'readSession' } };
  if (state.processing) return { state, decision: { do: 'wait' } };
  const declines = state.declines + 1;
  if (declines > MAX_RECORDED_DECLINES) return { state: { ...state, declines }, decision: { do: 'wait' } };
  const note = { source: event.eventId, event: 'payment.failed', detail: describeDecline(event.code) };
  return { state: { ...state, declines }, decision: { do: 'wait', note } };
}

function decideOnSession(state: AwaitedPayment, session: CheckoutSession): Decided {
  const { expected } = state;
  if (session.status === 'open') return { state, decision: { do: 'wait' } };
  if (session.status === 'expired') {
    return { state, decision: { do: 'end', closing: state.closing ?? CLOSED_BY_STRIPE } };
  }
  if (session.payment === 'failed') {
    return { state, decision: { do: 'end', closing: state.closing ?? BANK_DID_NOT_PAY } };
  }
  if (session.payment === 'unpaid') {
    return { state: { ...state, processing: true }, decision: { do: 'wait', note: PROCESSING } };
  }
  const problem = mismatch(session, expected);
  const { paymentIntentId, charge } = session;
  if (paymentIntentId === null) {
    return { state, decision: { do: 'wait', note: { ...IGNORED, alarm: true } } };
  }
  return problem === undefined
    ? {
        state,
        decision: {
          do: 'accept',
          payment: { paymentIntentId, charge, isOutdated: charge === undefined && state.toldOfCharge },
        },
      }
    : {
        state,
        decision: {
          do: 'refuse',
          paymentIntentId,
          detail: `The payment does not match the order: ${problem}.`,
        },
      };
}

const PROCESSING: Note = {
  source: 'payment.processing',
  event: 'payment.processing',
  detail: 'The payment is being processed; the bank has not confirmed it yet.',
};

/** Stripe says that the session is paid, but there is no payment: nothing that this shop requests can lead to that. */
const IGNORED: Note = {
  source: 'payment.ignored',
  event: 'payment.ignored',
  detail: 'Stripe reported a payment without any money. It was ignored.',
};

function mismatch(session: CheckoutSession, expected: ExpectedPayment): string | undefined {
  if (session.orderId !== expected.orderId) return 'it was made for another order';
  if (session.livemode !== expected.livemode) return `it was made in ${session.livemode ? 'live' : 'test'} mode`;
  if (session.amountMinor !== expected.amountMinor || session.currency !== expected.currency) {
    return `${formatMoney(session)} was paid instead of ${formatMoney(expected)}`;
  }
  return undefined;
}

/**
 * Stripe's decline codes in words for the customer (https://docs.stripe.com/declines/codes). Only codes that cards
 * alone have speak of a card: a wallet or a bank may have been used. A lost or stolen card gets no words of its own:
 * whoever holds it must not learn that it was reported.
 */
const DECLINES: ReadonlyMap<string, string> = new Map([
  ['insufficient_funds', 'there are insufficient funds'],
  ['expired_card', 'the card has expired'],
  ['incorrect_cvc', "the card's security code is wrong"],
  ['invalid_cvc', "the card's security code is wrong"],
  ['processing_error', 'it could not be processed just now'],
  ['authentication_required', 'the confirmation that the bank asked for was not completed'],
  ['payment_intent_authentication_failure', 'the confirmation that the bank asked for was not completed'],
  ['card_not_supported', 'the card does not support this kind of purchase'],
  ['card_velocity_exceeded', "the card's limit is reached"],
]);

/** Describes in words for the customer why a payment failed; nothing was charged. */
export function describeDecline(code: string): string {
  const why = DECLINES.get(code) ?? 'it was declined';
  return `The payment failed: ${why}. Nothing was charged; you can try again.`;
}

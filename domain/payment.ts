/**
 * The decisions of an order that waits for its payment, as pure functions: given what is known and what comes in, what to
 * do next. The workflow carries them out; the property tests run thousands of sequences over them.
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
   * The order that our own key wrote into the session's metadata. Not `client_reference_id`: a buyer can set that in the
   * address of a Payment Link (https://docs.stripe.com/payment-links/url-parameters).
   */
  readonly orderId: string | null;
  readonly status: 'open' | 'complete' | 'expired';
  /**
   * `failed`: complete, but a delayed payment method came back without the money. `unpaid` and complete: its result is
   * still to come.
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

/** What a payment must be to be the order's. */
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
  /** The operator who wants it, if one does. */
  readonly operator?: string | undefined;
};

/** An order that waits for its payment. */
export type AwaitedPayment = {
  readonly expected: ExpectedPayment;
  /** Set once somebody wants the order to end; the end waits for Stripe's word that nothing was paid. */
  readonly closing: Closing | undefined;
  /** A delayed payment method is at work. */
  readonly processing: boolean;
  readonly declines: number;
  /** Something happened to the money before the order knew of its payment, so an event of the payment is not the last word. */
  readonly toldOfCharge: boolean;
};

export function awaitPayment(expected: ExpectedPayment): AwaitedPayment {
  return { expected, closing: undefined, processing: false, declines: 0, toldOfCharge: false };
}

/** What comes in: a message, or the Checkout Session as Stripe has just answered. */
export type PaymentNews = OrderMessage | { readonly kind: 'session'; readonly session: CheckoutSession };

/** A payment that is the order's. */
export type Payment = {
  readonly paymentIntentId: string;
  /** The charge as it was read; undefined if only an event told of the payment. */
  readonly charge: Charge | undefined;
  /** Whether more is known to have happened to the money than `charge` says: it has to be read before it is believed. */
  readonly isOutdated: boolean;
};

export type PaymentDecision =
  | { readonly do: 'wait'; readonly note?: Note }
  /** Read the Checkout Session at Stripe. */
  | { readonly do: 'readSession' }
  /** Expire the Checkout Session at Stripe, and read what became of it. */
  | { readonly do: 'closeSession' }
  /** The event is about another payment than the one that is awaited. */
  | { readonly do: 'handOver'; readonly event: StripeEvent }
  | { readonly do: 'accept'; readonly payment: Payment }
  /** Refund this payment in full, and end the order. */
  | { readonly do: 'refuse'; readonly paymentIntentId: string; readonly detail: string }
  | { readonly do: 'end'; readonly closing: Closing };

type Decided = { readonly state: AwaitedPayment; readonly decision: PaymentDecision };

/** Declines that are written to the timeline; a card tester shall not fill it. */
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
 * Decides what an order that waits for its payment does next. Only Stripe's word ends the wait: it is the one arbiter
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
      // Their validators refuse them before the order is paid.
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
      // Money moves that the order does not know of yet: its payment has come, and the event of it has not.
      return { state: { ...state, toldOfCharge: true }, decision: { do: 'readSession' } };
    default:
      return unreachable(event);
  }
}

function close(state: AwaitedPayment, closing: Closing): Decided {
  if (state.closing === undefined) return { state: { ...state, closing }, decision: { do: 'closeSession' } };
  // The end is being settled already. Its first reason stands, but for a cancel: who does not want the order any more
  // gets the money back that may still come, while an order that only ran out of time is glad of it.
  const outranks = closing.status === 'CANCELLED' && state.closing.status === 'EXPIRED';
  return { state: outranks ? { ...state, closing } : state, decision: { do: 'wait' } };
}

function decline(state: AwaitedPayment, event: Extract<StripeEvent, { readonly about: 'decline' }>): Decided {
  // The bank's refusal of a delayed payment comes as a decline too, before or after the event that says that it was
  // under way. It cannot be tried again: the session says so.
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
          detail: `The payment was not the order's: ${problem}.`,
        },
      };
}

const PROCESSING: Note = {
  source: 'payment.processing',
  event: 'payment.processing',
  detail: 'The payment is on its way; the bank has not confirmed it yet.',
};

/** Stripe says that the session is paid, but by no payment: nothing that this shop asks for can do that. */
const IGNORED: Note = {
  source: 'payment.ignored',
  event: 'payment.ignored',
  detail: 'Stripe told of a payment without any money. It was ignored.',
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
 * Stripe's decline codes in a customer's words (https://docs.stripe.com/declines/codes). A lost or stolen card is not
 * named: whoever holds it shall not learn that it was reported.
 */
const DECLINES: ReadonlyMap<string, string> = new Map([
  ['insufficient_funds', 'the card has insufficient funds'],
  ['expired_card', 'the card has expired'],
  ['incorrect_cvc', "the card's security code is wrong"],
  ['invalid_cvc', "the card's security code is wrong"],
  ['processing_error', 'the card could not be processed; it may work in a moment'],
  ['authentication_required', 'the bank wanted a confirmation that was not given'],
  ['payment_intent_authentication_failure', 'the bank wanted a confirmation that was not given'],
  ['card_not_supported', 'the card does not support this kind of purchase'],
  ['card_velocity_exceeded', "the card's limit is reached"],
]);

/** Says in a customer's words why a payment failed; nothing was charged. */
export function describeDecline(code: string): string {
  const why = DECLINES.get(code) ?? 'the bank declined the card';
  return `The payment failed: ${why}. Nothing was charged; you can try again.`;
}

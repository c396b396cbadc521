/**
 * The decisions about an order's payment, as pure functions: given what is known and what comes in, what to do next.
 * The workflow carries the steps out; the property tests run thousands of sequences over them.
 */
import { formatMoney } from './money.ts';
import { unreachable } from './must.ts';

/** What is known of a Checkout Session at Stripe, read from it or from one of its events. */
export type CheckoutSession = {
  readonly sessionId: string;
  /** The order that the session was made for, from `client_reference_id`. */
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
};

/** What a payment must be to be the order's. */
export type ExpectedPayment = {
  readonly orderId: string;
  readonly sessionId: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly livemode: boolean;
};

export type Verdict =
  /** Another order's session, or another session of this order: not this order's business. */
  | { readonly kind: 'foreign'; readonly problem: string }
  | { readonly kind: 'open' }
  | { readonly kind: 'expired' }
  /** A delayed payment method: the customer has done their part, the money is not there yet. */
  | { readonly kind: 'processing' }
  | { readonly kind: 'failed' }
  | { readonly kind: 'paid'; readonly paymentIntentId: string }
  /** Money came, but not what the order asks for. */
  | { readonly kind: 'wrong'; readonly paymentIntentId: string; readonly problem: string };

/** Says what a Checkout Session means for the order. */
export function judge(session: CheckoutSession, expected: ExpectedPayment): Verdict {
  if (session.sessionId !== expected.sessionId || session.orderId !== expected.orderId) {
    return {
      kind: 'foreign',
      problem: `Checkout Session ${session.sessionId} of order ${session.orderId ?? 'unknown'} is not this order's ${expected.sessionId}`,
    };
  }
  if (session.status === 'open') return { kind: 'open' };
  if (session.status === 'expired') return { kind: 'expired' };
  if (session.payment === 'unpaid') return { kind: 'processing' };
  if (session.payment === 'failed') return { kind: 'failed' };
  if (session.paymentIntentId === null) {
    return { kind: 'foreign', problem: `Checkout Session ${session.sessionId} is paid without a payment intent` };
  }
  const problem = mismatch(session, expected);
  return problem === undefined
    ? { kind: 'paid', paymentIntentId: session.paymentIntentId }
    : { kind: 'wrong', paymentIntentId: session.paymentIntentId, problem };
}

function mismatch(session: CheckoutSession, expected: ExpectedPayment): string | undefined {
  if (session.livemode !== expected.livemode) {
    return `the payment was made in ${session.livemode ? 'live' : 'test'} mode`;
  }
  if (session.amountMinor !== expected.amountMinor || session.currency !== expected.currency) {
    return `${formatMoney(session)} was paid instead of ${formatMoney(expected)}`;
  }
  return undefined;
}

/** Why an order that waits for its payment is to end without it. */
export type Closing = { readonly status: 'CANCELLED' | 'EXPIRED'; readonly detail: string };

/** An order that waits for its payment. */
export type AwaitedPayment = {
  readonly expected: ExpectedPayment;
  /** Set once somebody wants the order to end; the end waits for Stripe's word that nothing was paid. */
  readonly closing: Closing | undefined;
  /** A delayed payment method is at work. */
  readonly processing: boolean;
  readonly declines: number;
};

export function awaitPayment(expected: ExpectedPayment): AwaitedPayment {
  return { expected, closing: undefined, processing: false, declines: 0 };
}

export type PaymentMessage =
  /** The session, as an event says or as it was read. */
  | { readonly kind: 'session'; readonly session: CheckoutSession }
  /** `code` is Stripe's decline code or error code. */
  | { readonly kind: 'declined'; readonly code: string }
  | { readonly kind: 'close'; readonly closing: Closing }
  /** Time to ask Stripe, since its event may be lost. */
  | { readonly kind: 'checkDue' };

export type Note = { readonly event: string; readonly detail: string };

export type PaymentStep =
  | { readonly do: 'wait'; readonly note?: Note; readonly warning?: string }
  | { readonly do: 'readSession' }
  /** Expire the session at Stripe, and read what became of it. */
  | { readonly do: 'closeSession' }
  | { readonly do: 'accept'; readonly paymentIntentId: string }
  /** Give the money back in full, and end the order. */
  | { readonly do: 'refuse'; readonly paymentIntentId: string; readonly detail: string }
  | { readonly do: 'end'; readonly closing: Closing };

/** Declines that are written to the timeline; a card tester shall not fill it. */
export const MAX_RECORDED_DECLINES = 50;

/**
 * Decides what an order that waits for its payment does next. Only Stripe's word ends the wait: it is the one arbiter
 * between a payment, the window's end and a cancellation.
 */
export function decidePayment(
  state: AwaitedPayment,
  message: PaymentMessage,
): { readonly state: AwaitedPayment; readonly step: PaymentStep } {
  switch (message.kind) {
    case 'declined':
      return decline(state, message.code);
    case 'close':
      return close(state, message.closing);
    case 'checkDue':
      return { state, step: { do: 'readSession' } };
    case 'session':
      return followSession(state, judge(message.session, state.expected));
    default:
      return unreachable(message);
  }
}

function close(state: AwaitedPayment, closing: Closing): { state: AwaitedPayment; step: PaymentStep } {
  if (state.closing === undefined) return { state: { ...state, closing }, step: { do: 'closeSession' } };
  // The end is being settled already. Its first reason stands, but for a cancel: who does not want the order any more
  // gets the money back that may still come, while an order that only ran out of time is glad of it.
  const outranks = closing.status === 'CANCELLED' && state.closing.status === 'EXPIRED';
  return { state: outranks ? { ...state, closing } : state, step: { do: 'wait' } };
}

function decline(state: AwaitedPayment, code: string): { state: AwaitedPayment; step: PaymentStep } {
  // The bank's refusal of a delayed payment comes as a decline too; that cannot be tried again, and its own event
  // ends the order.
  if (state.processing) return { state, step: { do: 'wait' } };
  const declines = state.declines + 1;
  return {
    state: { ...state, declines },
    step:
      declines > MAX_RECORDED_DECLINES
        ? { do: 'wait' }
        : { do: 'wait', note: { event: 'payment.failed', detail: describeDecline(code) } },
  };
}

function followSession(state: AwaitedPayment, verdict: Verdict): { state: AwaitedPayment; step: PaymentStep } {
  switch (verdict.kind) {
    case 'foreign':
      return {
        state,
        step: {
          do: 'wait',
          note: { event: 'payment.ignored', detail: 'A payment event that does not belong to this order was ignored.' },
          warning: verdict.problem,
        },
      };
    case 'open':
      return { state, step: { do: 'wait' } };
    case 'processing':
      return state.processing
        ? { state, step: { do: 'wait' } }
        : {
            state: { ...state, processing: true },
            step: {
              do: 'wait',
              note: {
                event: 'payment.processing',
                detail: 'The payment is on its way; the bank has not confirmed it yet.',
              },
            },
          };
    case 'paid':
      return { state, step: { do: 'accept', paymentIntentId: verdict.paymentIntentId } };
    case 'wrong':
      return {
        state,
        step: {
          do: 'refuse',
          paymentIntentId: verdict.paymentIntentId,
          detail: `The payment was not the order's: ${verdict.problem}. It was given back in full.`,
        },
      };
    case 'failed':
      return {
        state,
        step: {
          do: 'end',
          closing: state.closing ?? {
            status: 'CANCELLED',
            detail: 'The bank did not pay, so the order was cancelled. Nothing was charged.',
          },
        },
      };
    case 'expired':
      return {
        state,
        step: {
          do: 'end',
          closing: state.closing ?? {
            status: 'EXPIRED',
            detail: 'The payment page was closed by Stripe before anything was paid.',
          },
        },
      };
    default:
      return unreachable(verdict);
  }
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

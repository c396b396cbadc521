import { log } from '@temporalio/activity';
import { Stripe } from 'stripe';
import { PaymentDisputedError, toRefundFailure } from './failures.ts';
import type { OrderLine } from '../domain/order-lines.ts';
import { must } from '../domain/must.ts';
import type { CheckoutSession } from '../domain/payment.ts';
import { toCheckoutSession } from '../platform/stripe.ts';

export type PaymentActivities = ReturnType<typeof createPaymentActivities>;

export type CreateCheckoutSessionInput = {
  readonly orderId: string;
  readonly lines: readonly OrderLine[];
  readonly successUrl: string;
  readonly cancelUrl: string;
  readonly traceparent: string;
  /** Raised when Stripe keeps a failure under the key; the idempotency key carries it. */
  readonly generation: number;
};

export type CreatedCheckoutSession = {
  readonly sessionId: string;
  readonly url: string;
  readonly livemode: boolean;
};

export type RefundPaymentInput = {
  readonly orderId: string;
  readonly paymentIntentId: string;
  readonly generation: number;
};

/**
 * The activities of the task queue `payment`. Each call that changes something carries the idempotency key
 * `order : step : generation`, never the attempt, so that an attempt whose answer was lost is found again at Stripe.
 */
export function createPaymentActivities({ stripe }: { readonly stripe: Stripe }) {
  async function readCheckoutSession(sessionId: string): Promise<CheckoutSession> {
    const session = await stripe.checkout.sessions.retrieve(sessionId, { expand: ['payment_intent'] });
    return toCheckoutSession(answered(session, `Checkout Session ${sessionId}`));
  }

  /**
   * Whether a dispute has given the payment back. It is asked before the refund, as Stripe would keep its refusal under
   * the idempotency key of the refund.
   *
   * @throws PaymentDisputedError where the bank has not decided yet
   */
  async function wasLostInDispute(paymentIntentId: string): Promise<boolean> {
    const { data: disputes } = await stripe.disputes.list({ payment_intent: paymentIntentId });
    if (disputes.some(({ status }) => status === 'lost')) return true;
    if (disputes.some(({ status }) => !DECIDED.has(status))) {
      throw new PaymentDisputedError(`The payment ${paymentIntentId} is disputed, and the bank has not decided yet`);
    }
    return false;
  }

  return {
    /** Makes the Checkout Session that the customer pays on; all that Stripe sees is fixed by the workflow's input. */
    async createCheckoutSession(input: CreateCheckoutSessionInput): Promise<CreatedCheckoutSession> {
      const metadata = { order_id: input.orderId, traceparent: input.traceparent };
      const session = await stripe.checkout.sessions.create(
        {
          mode: 'payment',
          client_reference_id: input.orderId,
          success_url: input.successUrl,
          cancel_url: input.cancelUrl,
          metadata,
          payment_intent_data: { metadata },
          line_items: input.lines.map((line) => ({
            quantity: line.quantity,
            price_data: {
              currency: line.currency.toLowerCase(),
              unit_amount: line.unitAmountMinor,
              product_data: { name: line.name },
            },
          })),
        },
        { idempotencyKey: `${input.orderId}:checkout:${input.generation}` },
      );
      answered(session, `a Checkout Session for order ${input.orderId}`);
      return {
        sessionId: session.id,
        url: must(session.url, `a link of Checkout Session ${session.id}`),
        livemode: session.livemode,
      };
    },

    /** Reads a Checkout Session: Stripe's word on whether it was paid. */
    readCheckoutSession,

    /**
     * Expires a Checkout Session and gives what became of it: expired, or paid meanwhile. It never gives an open one;
     * while Stripe cannot say, it throws and is tried again.
     */
    async closeCheckoutSession(sessionId: string): Promise<CheckoutSession> {
      try {
        const session = await stripe.checkout.sessions.expire(sessionId);
        return toCheckoutSession(answered(session, `Checkout Session ${sessionId}`));
      } catch (error) {
        // Whatever the reason, reading the session settles it: paid, expired before, or still open.
        const session = await readCheckoutSession(sessionId);
        if (session.status === 'open') throw stillOpen(error, sessionId);
        log.info('The Checkout Session had ended before it was closed', { sessionId, status: session.status });
        return session;
      }
    },

    /** Whether something of a payment was given back, whoever did it. */
    async isRefunded(paymentIntentId: string): Promise<boolean> {
      const intent = await stripe.paymentIntents.retrieve(paymentIntentId, { expand: ['latest_charge'] });
      const charge = answered(intent, `payment ${paymentIntentId}`).latest_charge;
      if (typeof charge !== 'object' || charge === null) throw new Error(`Payment ${paymentIntentId} has no charge`);
      return charge.amount_refunded > 0;
    },

    /**
     * Gives a payment back in full; a payment that was given back before counts as given back now. Nothing ends a
     * refund but Stripe's word: a refusal, such as too low a balance, is the operator's to mend and is tried again.
     */
    async refundPayment({ orderId, paymentIntentId, generation }: RefundPaymentInput): Promise<void> {
      if (await wasLostInDispute(paymentIntentId)) return;
      try {
        const refund = await stripe.refunds.create(
          { payment_intent: paymentIntentId, metadata: { order_id: orderId } },
          { idempotencyKey: `${orderId}:refund:${paymentIntentId}:${generation}` },
        );
        answered(refund, `a refund of ${paymentIntentId}`);
      } catch (error) {
        if (!isAlreadyRefunded(error)) throw toRefundFailure(error);
        log.info('The payment had been given back before', { paymentIntentId });
      }
    },
  };
}

/** The states of a dispute in which the bank has said its last word (https://docs.stripe.com/api/disputes/object). */
const DECIDED: ReadonlySet<string> = new Set(['won', 'lost', 'warning_closed', 'prevented']);

/**
 * The SDK takes a failure whose body has no `error` for a success, as a proxy on the way may send one: then there is no
 * object in it.
 */
function answered<T extends { readonly id: string }>(object: T, what: string): T {
  if (typeof object.id !== 'string') throw new Error(`Stripe's answer holds no ${what}`);
  return object;
}

/**
 * Stripe refuses to close an open session while a payment on it is being confirmed; that passes, so unlike other
 * refusals it is asked again.
 */
function stillOpen(error: unknown, sessionId: string): unknown {
  if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) return error;
  return new Error(`Checkout Session ${sessionId} is open and could not be closed: ${error.message}`, { cause: error });
}

function isAlreadyRefunded(error: unknown): boolean {
  return error instanceof Stripe.errors.StripeError && error.code === 'charge_already_refunded';
}

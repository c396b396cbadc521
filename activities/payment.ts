import { log } from '@temporalio/activity';
import { Stripe } from 'stripe';
import type { RefundPaymentResult } from '../contracts/messages.ts';
import { type Charge, isRefundBlocked, keptOf, refundedOf, wayBackOf } from '../domain/charge.ts';
import { must } from '../domain/must.ts';
import type { OrderLine } from '../domain/order-lines.ts';
import type { CheckoutSession } from '../domain/payment.ts';
import { toCheckoutSession } from '../platform/stripe.ts';
import { PaymentDisputedError, toCreateFailure, toRefundFailure } from './failures.ts';
import { answered, readCharge, toRefund } from './stripe-charge.ts';

export type PaymentActivities = ReturnType<typeof createPaymentActivities>;

export type CreateCheckoutSessionInput = {
  readonly orderId: string;
  readonly lines: readonly OrderLine[];
  readonly successUrl: string;
  readonly cancelUrl: string;
  readonly traceparent: string;
  /** Part of the idempotency key; incremented if Stripe has stored a failure under the key. */
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

export type RefundPartOfPaymentInput = RefundPaymentInput & {
  /** The id of the refund's row; written into the refund at Stripe. */
  readonly refundId: string;
  readonly amountMinor: number;
};

export type RefundPartOfPaymentResult = { readonly outcome: 'made' | 'tooLittleLeft'; readonly charge: Charge };

/**
 * The activities of the task queue `payment`. Those that create something at Stripe send an idempotency key made of the
 * order, the step and a generation, never the attempt, so that a retry finds what an attempt with a lost answer has
 * created. Closing a session needs none: a second close reads how it ended.
 */
export function createPaymentActivities({ stripe }: { readonly stripe: Stripe }) {
  /** Reads a Checkout Session and, if it is paid, what has become of the money. */
  async function readCheckoutSession(sessionId: string): Promise<CheckoutSession> {
    const read = await stripe.checkout.sessions.retrieve(sessionId, { expand: ['payment_intent'] });
    const session = toCheckoutSession(answered(read, `Checkout Session ${sessionId}`));
    if (session.payment !== 'paid' || session.paymentIntentId === null) return session;
    return { ...session, charge: await readCharge(stripe, session.paymentIntentId) };
  }

  return {
    /**
     * Creates the Checkout Session that the customer pays on; everything Stripe sees is fixed by the workflow's input.
     *
     * @throws `StripeRefused` if the order itself is at fault, `StripeKeptFailure` if another idempotency key is needed
     */
    async createCheckoutSession(input: CreateCheckoutSessionInput): Promise<CreatedCheckoutSession> {
      const metadata = { order_id: input.orderId, traceparent: input.traceparent };
      const creating = stripe.checkout.sessions.create(
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
      const session = await creating.catch((error: unknown) => {
        throw toCreateFailure(error);
      });
      answered(session, `a Checkout Session for order ${input.orderId}`);
      return {
        sessionId: session.id,
        url: must(session.url, `a link of Checkout Session ${session.id}`),
        livemode: session.livemode,
      };
    },

    /** Reads a Checkout Session, to see whether it was paid. */
    readCheckoutSession,

    /**
     * Expires a Checkout Session and returns what became of it: expired, or paid meanwhile. It never returns an open
     * one: until Stripe can say, it throws and is retried.
     */
    async closeCheckoutSession(sessionId: string): Promise<CheckoutSession> {
      try {
        const session = await stripe.checkout.sessions.expire(sessionId);
        return toCheckoutSession(answered(session, `Checkout Session ${sessionId}`));
      } catch (error) {
        // Whatever the reason, reading the session settles it: paid, already expired, or still open.
        const session = await readCheckoutSession(sessionId);
        if (session.status === 'open') throw stillOpen(error, sessionId);
        log.info('The Checkout Session had ended before it was closed', { sessionId, status: session.status });
        return session;
      }
    },

    /** Reads what became of a payment's money, whoever moved it. */
    async readCharge(paymentIntentId: string): Promise<Charge> {
      return readCharge(stripe, paymentIntentId);
    },

    /** The same for a payment that an event names; null if Stripe knows no such payment on our account. */
    async findCharge(paymentIntentId: string): Promise<Charge | null> {
      try {
        return await readCharge(stripe, paymentIntentId);
      } catch (error) {
        if (error instanceof Stripe.errors.StripeError && error.code === 'resource_missing') return null;
        throw error;
      }
    },

    /**
     * Refunds all that is left of a payment, and says how the money went back: it may already have been refunded, or
     * lost in a dispute. Only Stripe's answer ends a refund: a refusal, such as too low a balance, is for the operator
     * to fix.
     *
     * @throws `PaymentDisputed` while the bank has not decided; `RefundRefused` if Stripe refuses; `StripeKeptFailure`
     *   if another idempotency key is needed
     */
    async refundPayment({ orderId, paymentIntentId, generation }: RefundPaymentInput): Promise<RefundPaymentResult> {
      try {
        // Checked first, since Stripe would store its refusal of a disputed payment under the idempotency key.
        const charge = await readCharge(stripe, paymentIntentId);
        const wayBack = wayBackOf(charge);
        if (wayBack !== undefined) {
          log.info('The money had already gone back', { paymentIntentId, wayBack });
          return { wayBack, charge };
        }
        if (isRefundBlocked(charge)) throw disputed(paymentIntentId);
        const refund = await stripe.refunds.create(
          { payment_intent: paymentIntentId, metadata: { order_id: orderId } },
          { idempotencyKey: `${orderId}:refund:${paymentIntentId}:${generation}` },
        );
        answered(refund, `a refund of ${paymentIntentId}`);
        const refunds = [...charge.refunds, toRefund(refund)];
        return { wayBack: 'refunded', charge: { ...charge, refunds, refundedMinor: refundedOf(refunds) } };
      } catch (error) {
        if (!isAlreadyRefunded(error)) throw toRefundFailure(error);
        log.info('The payment had already been refunded', { paymentIntentId });
      }
      return { wayBack: 'refunded' };
    },

    /**
     * Refunds a part of a payment, once, however often it is asked: what Stripe has of it is known by the id of its row.
     *
     * @returns the charge after it; `tooLittleLeft` if somebody else has refunded so much that it can't be made any more
     * @throws `PaymentDisputed` while the bank has not decided; `RefundRefused` if Stripe refuses;
     *   `StripeKeptFailure` if another idempotency key is needed
     */
    async refundPart(input: RefundPartOfPaymentInput): Promise<RefundPartOfPaymentResult> {
      const { orderId, paymentIntentId, refundId, amountMinor, generation } = input;
      try {
        const charge = await readCharge(stripe, paymentIntentId);
        if (charge.refunds.some(({ partId }) => partId === refundId)) return { outcome: 'made', charge };
        if (isRefundBlocked(charge)) throw disputed(paymentIntentId);
        if (keptOf(charge) < amountMinor) return { outcome: 'tooLittleLeft', charge };
        const refund = await stripe.refunds.create(
          {
            payment_intent: paymentIntentId,
            amount: amountMinor,
            metadata: { order_id: orderId, refund_id: refundId },
          },
          { idempotencyKey: `${refundId}:refund:${generation}` },
        );
        answered(refund, `a refund of ${paymentIntentId}`);
        // Read again: a refund of somebody else may have come between.
        return { outcome: 'made', charge: await readCharge(stripe, paymentIntentId) };
      } catch (error) {
        throw toRefundFailure(error);
      }
    },
  };
}

function disputed(paymentIntentId: string): PaymentDisputedError {
  return new PaymentDisputedError(`The payment ${paymentIntentId} is disputed, and the bank has not decided yet`);
}

/**
 * Stripe refuses to close an open session while a payment on it is being confirmed; that passes, so unlike other
 * refusals it is retried.
 */
function stillOpen(error: unknown, sessionId: string): unknown {
  if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) return error;
  return new Error(`Checkout Session ${sessionId} is open and could not be closed: ${error.message}`, { cause: error });
}

function isAlreadyRefunded(error: unknown): boolean {
  return error instanceof Stripe.errors.StripeError && error.code === 'charge_already_refunded';
}

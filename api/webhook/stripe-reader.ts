import { Stripe } from 'stripe';
import type { StripeEvent } from '../../domain/stripe-event.ts';
import { ApiError } from '../errors.ts';
import { type HandledEvent, orderIdOf, subjectOf } from './stripe-event.ts';
import { type Reading, toStripeEvent } from './stripe-event.ts';

/** Stripe is waiting for the webhook's answer, so this is shorter than the client's own limit. */
const READ_TIMEOUT_MS = 5_000;

/** The calls of Stripe's SDK that the webhook needs, so that tests can do without it. */
export type StripeReads = {
  readonly checkout: { readonly sessions: Pick<Stripe['checkout']['sessions'], 'retrieve'> };
  readonly paymentIntents: Pick<Stripe['paymentIntents'], 'retrieve'>;
};

export type StripeReader = ReturnType<typeof createStripeReader>;

/**
 * Reads from Stripe what an event does not say, or not reliably.
 *
 * Every function throws an ApiError 5001 if Stripe is down or our key may not read the object, so that Stripe sends the
 * event again.
 */
export function createStripeReader(stripe: StripeReads) {
  return {
    /** Returns the order id that our key wrote into a payment; null if it is not an order's, or not on our account. */
    async orderIdOfPayment(paymentIntentId: string): Promise<string | null> {
      const intent = await read(`payment ${paymentIntentId}`, () =>
        stripe.paymentIntents.retrieve(paymentIntentId, {}, { timeout: READ_TIMEOUT_MS }),
      );
      return orderIdOf(intent?.metadata);
    },

    /**
     * Reads the object of an event again, in the version of the API that this code is written for.
     *
     * @returns undefined if there is no such object on our account
     */
    async readAnew(received: HandledEvent): Promise<Reading | undefined> {
      const { objectId } = subjectOf(received);
      const fromEvent = toStripeEvent(received);
      // Only ids are used of these, so there is nothing to read again.
      if ('event' in fromEvent && fromEvent.event.about === 'charge') return fromEvent;
      if (objectId === null) return { problems: ['id: missing'] };
      const object = await read(objectId, () => retrieve(received.type, objectId));
      return object === undefined ? undefined : toStripeEvent(received, { object, isFresh: true });
    },
  };

  async function retrieve(type: StripeEvent['type'], objectId: string): Promise<{ readonly id: string }> {
    const options = { timeout: READ_TIMEOUT_MS };
    return type === 'payment_intent.payment_failed'
      ? stripe.paymentIntents.retrieve(objectId, {}, options)
      : stripe.checkout.sessions.retrieve(objectId, { expand: ['payment_intent'] }, options);
  }
}

/** Reads an object; undefined if Stripe has none with that id. */
async function read<T extends { readonly id: string }>(what: string, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    const object = await ask();
    // The SDK takes a failure whose body has no `error`, such as one from a proxy, for a success.
    if (typeof object.id !== 'string') throw new Error(`Stripe's answer holds no ${what}`);
    return object;
  } catch (error) {
    if (error instanceof Stripe.errors.StripeError && error.code === 'resource_missing') return undefined;
    const isForbidden =
      error instanceof Stripe.errors.StripeAuthenticationError || error instanceof Stripe.errors.StripePermissionError;
    const fix = isForbidden
      ? 'our key may not read it: check STRIPE_KEY, and that a restricted key may read payment intents and Checkout Sessions'
      : 'Stripe is unavailable at the moment';
    throw new ApiError('unavailable', `${what} could not be read. ${fix}; send the event again later`, {
      cause: error,
    });
  }
}

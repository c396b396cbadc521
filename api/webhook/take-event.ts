import { Stripe } from 'stripe';
import type { StripeEvent } from '../../domain/stripe-event.ts';
import type { Logger } from '../../platform/logger.ts';
import type { DeliveryOutcome } from './delivery.ts';
import {
  type HandledEvent,
  isHandled,
  type ReceivedEvent,
  type Subject,
  subjectOf,
  toStripeEvent,
} from './stripe-event.ts';
import type { StripeReader } from './stripe-reader.ts';

export type Taken = {
  readonly outcome: DeliveryOutcome | 'otherMode' | 'otherAccount' | 'notHandled' | 'unreadable';
  readonly orderId?: string;
};

type Options = {
  /** Whether our key is a live one. */
  readonly livemode: boolean;
  /** Finds which of our orders an event is about; undefined if none. */
  readonly orderOf: (subject: Subject) => Promise<string | undefined>;
  readonly reader: Pick<StripeReader, 'readAnew'>;
  readonly deliver: (orderId: string, event: StripeEvent) => Promise<DeliveryOutcome>;
};

/**
 * Decides what to do with an event whose signature is valid. Only events of our orders are examined closely: anything
 * else on the account, in whatever shape, is answered 200 and changes nothing, since Stripe would otherwise retry it
 * for days and finally disable the endpoint.
 */
export function createEventTaker({ livemode, orderOf, reader, deliver }: Options) {
  const warnedOfVersions = new Set<string | null>();

  /**
   * Returns the event as orders understand it; undefined if it is about nothing on our account. An event in another
   * version of the API, or in an unknown shape, is not trusted, since its fields may have another meaning. Its object
   * is read again from Stripe, in the version that this code is written for.
   */
  async function understand(
    received: HandledEvent,
    orderId: string,
    log: Logger,
  ): Promise<StripeEvent | 'unreadable' | undefined> {
    const { eventId, type, apiVersion } = received;
    if (apiVersion === Stripe.API_VERSION) {
      const asSent = toStripeEvent(received);
      if ('event' in asSent) return asSent.event;
      const problems = asSent.problems;
      log.warn({ eventId, type, orderId, problems }, 'Stripe event in an unknown shape; its object is read again');
    } else {
      const level = warnedOfVersions.has(apiVersion) ? 'debug' : 'warn';
      warnedOfVersions.add(apiVersion);
      log[level](
        { eventId, type, apiVersion, expected: Stripe.API_VERSION },
        `Stripe sends events of API version ${apiVersion ?? 'unknown'}, but this code is written for ${Stripe.API_VERSION}. The object of each is read again from Stripe, which costs a request. Make an endpoint at Stripe with API version ${Stripe.API_VERSION}, and delete this one; with \`stripe listen\`, add --latest`,
      );
    }
    const anew = await reader.readAnew(received);
    if (anew === undefined) return undefined;
    if ('event' in anew) return anew.event;
    // Missing one event, with an alert, is better than missing all: for an answer other than 200, Stripe would retry
    // for three days, which can't succeed before this code is changed, and it disables endpoints that keep failing,
    // with the events of every other order. The order is not lost: it asks Stripe itself when its customer comes back,
    // when its payment window ends, and before it ships. So the event is accepted, with an error that names everything
    // and a metric with an alert.
    log.error(
      { eventId, type, orderId, apiVersion, problems: anew.problems },
      `Stripe event ${eventId} (${type}) is about order ${orderId}, and neither it nor its object can be read. Look at it in Stripe's dashboard, and update this software`,
    );
    return 'unreadable';
  }

  /** @throws ApiError 5001, or an error of Temporal's or PostgreSQL's client: so that Stripe sends the event again */
  return async (received: ReceivedEvent, log: Logger): Promise<Taken> => {
    // The test mode and the live mode of one account may send to the same address.
    if (received.livemode !== livemode) return { outcome: 'otherMode' };
    if (received.ofOtherAccount) return { outcome: 'otherAccount' };
    if (!isHandled(received)) return { outcome: 'notHandled' };
    const orderId = await orderOf(subjectOf(received));
    if (orderId === undefined) return { outcome: 'unknownOrder' };
    const event = await understand(received, orderId, log);
    if (event === undefined) return { outcome: 'unknownOrder', orderId };
    if (event === 'unreadable') return { outcome: 'unreadable', orderId };
    return { outcome: await deliver(orderId, event), orderId };
  };
}

type FinderOptions = {
  readonly findOrderIdByPaymentIntent: (paymentIntentId: string) => Promise<string | undefined>;
  readonly reader: Pick<StripeReader, 'orderIdOfPayment'>;
};

/**
 * Finds the order of an event: the order id that our key wrote into the object, else the order whose row has the
 * payment, else the order id that our key wrote into the payment at Stripe. The last is for a dispute, a review or a
 * fraud warning, which name only a payment and may overtake the event that records the payment in the order's row.
 *
 * @returns a function that returns undefined if the event is not about an order of ours, and throws an ApiError 5001 if
 *   Stripe can't be asked
 */
export function createOrderFinder({ findOrderIdByPaymentIntent, reader }: FinderOptions) {
  return async ({ orderId, paymentIntentId, isMadeByOurKey }: Subject): Promise<string | undefined> => {
    if (orderId !== null) return orderId;
    // A shop with many other sales on its account must not need a request to Stripe for each of them.
    if (isMadeByOurKey || paymentIntentId === null) return undefined;
    return (
      (await findOrderIdByPaymentIntent(paymentIntentId)) ??
      (await reader.orderIdOfPayment(paymentIntentId)) ??
      undefined
    );
  };
}

import type { Subject } from './received-event.ts';
import type { StripeReader } from './stripe-reader.ts';

type Options = {
  readonly findOrderIdByPaymentIntent: (paymentIntentId: string) => Promise<string | undefined>;
  readonly reader: Pick<StripeReader, 'orderIdOfPayment'>;
};

/**
 * Finds out whose event this is: the order that our own key wrote into the object, else the order whose row has the
 * payment, else the order that our key wrote into the payment at Stripe. The last is for a dispute, a review or a fraud
 * warning, which name nothing but a payment and may overtake the event that brings the payment to the order's row.
 *
 * @returns a function that returns undefined if the event is not about an order of ours, and throws an ApiError 5001 if
 *   Stripe can't be asked
 */
export function createOrderFinder({ findOrderIdByPaymentIntent, reader }: Options) {
  return async ({ orderId, paymentIntentId, isMadeByOurKey }: Subject): Promise<string | undefined> => {
    if (orderId !== null) return orderId;
    // A shop with many other sales on its account shall not pay for each of them with a question to Stripe.
    if (isMadeByOurKey || paymentIntentId === null) return undefined;
    return (
      (await findOrderIdByPaymentIntent(paymentIntentId)) ??
      (await reader.orderIdOfPayment(paymentIntentId)) ??
      undefined
    );
  };
}

import type { CallOffResult, FulfillmentResult } from '../contracts/messages.ts';
import type { OrderLine } from '../domain/order-lines.ts';

/** What is to be shipped. */
export type Shipment = { readonly orderId: string; readonly lines: readonly OrderLine[] };

/**
 * What ships the orders: the built-in warehouse, or the shop's own system. Both calls are retried until they answer,
 * and an order that was called off is never shipped, not even by a request that was sent earlier.
 */
export type FulfillmentService = {
  /** Ships the order. Idempotent. @throws if the call is to be retried */
  readonly ship: (shipment: Shipment) => Promise<FulfillmentResult>;
  /** Calls the shipment off, or reports that it has already left. @throws if the call is to be retried */
  readonly callOff: (orderId: string) => Promise<CallOffResult>;
};

export type FulfillmentActivities = ReturnType<typeof createFulfillmentActivities>;

/** The activities of the task queue `fulfillment`. */
export function createFulfillmentActivities({ fulfillment }: { readonly fulfillment: FulfillmentService }) {
  return {
    async fulfillOrder(shipment: Shipment): Promise<FulfillmentResult> {
      return fulfillment.ship(shipment);
    },

    async callOffFulfillment({ orderId }: { readonly orderId: string }): Promise<CallOffResult> {
      return fulfillment.callOff(orderId);
    },
  };
}

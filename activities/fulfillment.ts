import type { CallOffResult, FulfillmentResult } from '../contracts/messages.ts';
import type { OrderLine } from '../domain/order-lines.ts';

/** What is to be shipped. */
export type Shipment = { readonly orderId: string; readonly lines: readonly OrderLine[] };

/**
 * Whoever ships the orders: the built-in warehouse, or the shop's own system. Both calls are asked again until they
 * answer, and an order that was called off is never shipped, not even by a request that was on its way before.
 */
export type FulfillmentService = {
  /** Ships the order once, however often it is asked. @throws where it is to be asked again */
  readonly ship: (shipment: Shipment) => Promise<FulfillmentResult>;
  /** Calls the shipment off, or says that it has left already. @throws where it is to be asked again */
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

import type { CallOffResult, FulfillmentResult } from '../contracts/messages.ts';
import type { Database } from '../database/database.ts';
import { beginShipment } from '../database/stock.ts';
import { type OrderLine, withoutPieces } from '../domain/order-lines.ts';

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
export function createFulfillmentActivities({
  fulfillment,
  database,
}: {
  readonly fulfillment: FulfillmentService;
  readonly database: Database;
}) {
  return {
    /** Ships the order, less the pieces that were refunded before it was first asked for. */
    async fulfillOrder({ orderId, lines }: Shipment): Promise<FulfillmentResult> {
      const keptBack = await beginShipment(database, orderId);
      return fulfillment.ship({ orderId, lines: withoutPieces(lines, keptBack) });
    },

    async callOffFulfillment({ orderId }: { readonly orderId: string }): Promise<CallOffResult> {
      return fulfillment.callOff(orderId);
    },
  };
}

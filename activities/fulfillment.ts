import { createHash } from 'node:crypto';
import type { FulfillmentResult } from '../contracts/messages.ts';
import type { Database } from '../database/database.ts';
import { insertShipment } from '../database/shipments.ts';

export type FulfillmentActivities = ReturnType<typeof createFulfillmentActivities>;

/** The activities of the task queue `fulfillment`, on the built-in warehouse. */
export function createFulfillmentActivities({ database }: { readonly database: Database }) {
  return {
    /** Ships the order, once, whoever asks again. */
    async fulfillOrder({ orderId }: { readonly orderId: string }): Promise<FulfillmentResult> {
      const trackingNumber = await insertShipment(database, orderId, newTrackingNumber(orderId));
      return { outcome: 'shipped', trackingNumber };
    },
  };
}

/** A tracking number that cannot be guessed from the one before; the same for each attempt of one order. */
function newTrackingNumber(orderId: string): string {
  return `OB${createHash('sha256').update(`tracking:${orderId}`).digest('hex').slice(0, 12).toUpperCase()}`;
}

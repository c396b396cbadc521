import { createHash } from 'node:crypto';
import type { Database } from '../database/database.ts';
import { callOffShipment, insertShipment } from '../database/shipments.ts';
import type { FulfillmentService } from './fulfillment.ts';

/** A warehouse for shops that have no system of their own: it ships everything at once and records it. */
export function createBuiltInWarehouse({ database }: { readonly database: Database }): FulfillmentService {
  return {
    async ship({ orderId }) {
      const trackingNumber = await insertShipment(database, orderId, newTrackingNumber(orderId));
      return trackingNumber === undefined
        ? { outcome: 'impossible', reason: 'the shipment was called off' }
        : { outcome: 'shipped', trackingNumber };
    },

    async callOff(orderId) {
      const trackingNumber = await callOffShipment(database, orderId);
      return trackingNumber === undefined ? { outcome: 'calledOff' } : { outcome: 'shipped', trackingNumber };
    },
  };
}

/** The same for each attempt of one order. */
function newTrackingNumber(orderId: string): string {
  return `OB${createHash('sha256').update(`tracking:${orderId}`).digest('hex').slice(0, 12).toUpperCase()}`;
}

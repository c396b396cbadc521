import { must } from '../domain/must.ts';
import type { Database } from './database.ts';

/**
 * Writes the order's shipment, once, whoever asks again.
 *
 * @returns the tracking number of the shipment that stands
 */
export async function insertShipment(database: Database, orderId: string, trackingNumber: string): Promise<string> {
  const written = await database.query<{ tracking_number: string }>({
    name: 'shipments.insert',
    // The update that changes nothing makes the statement return the row that was there.
    text: `
      INSERT INTO shipments (order_id, tracking_number) VALUES ($1, $2)
      ON CONFLICT (order_id) DO UPDATE SET order_id = excluded.order_id
      RETURNING tracking_number`,
    values: [orderId, trackingNumber],
  });
  return must(written.rows[0], `a shipment of order ${orderId}`).tracking_number;
}

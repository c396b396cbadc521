import { must } from '../domain/must.ts';
import type { Database } from './database.ts';

/**
 * Writes the order's shipment, once, whoever asks again.
 *
 * @returns the tracking number that stands, or undefined where the shipment was called off before
 */
export async function insertShipment(
  database: Database,
  orderId: string,
  trackingNumber: string,
): Promise<string | undefined> {
  const written = await database.query<{ tracking_number: string | null }>({
    name: 'shipments.insert',
    // The update that changes nothing makes the statement return the row that was there.
    text: `
      INSERT INTO shipments (order_id, tracking_number) VALUES ($1, $2)
      ON CONFLICT (order_id) DO UPDATE SET order_id = excluded.order_id
      RETURNING tracking_number`,
    values: [orderId, trackingNumber],
  });
  return must(written.rows[0], `a shipment of order ${orderId}`).tracking_number ?? undefined;
}

/**
 * Writes down that the order is not to be shipped; a shipment that is asked for later is refused.
 *
 * @returns the tracking number where the order was shipped before, or undefined where it never will be
 */
export async function callOffShipment(database: Database, orderId: string): Promise<string | undefined> {
  const written = await database.query<{ tracking_number: string | null }>({
    name: 'shipments.call-off',
    text: `
      INSERT INTO shipments (order_id, called_off) VALUES ($1, true)
      ON CONFLICT (order_id) DO UPDATE SET order_id = excluded.order_id
      RETURNING tracking_number`,
    values: [orderId],
  });
  return must(written.rows[0], `a shipment of order ${orderId}`).tracking_number ?? undefined;
}

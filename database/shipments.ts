import { must } from '../domain/must.ts';
import type { Database } from './database.ts';

/**
 * Writes the order's shipment. Idempotent.
 *
 * @returns the tracking number of the shipment, or undefined if it was called off before
 */
export async function insertShipment(
  database: Database,
  orderId: string,
  trackingNumber: string,
): Promise<string | undefined> {
  const written = await database.query<{ tracking_number: string | null }>({
    name: 'shipments.insert',
    // An update that changes nothing, so that the statement returns the existing row.
    text: `
      INSERT INTO shipments (order_id, tracking_number) VALUES ($1, $2)
      ON CONFLICT (order_id) DO UPDATE SET order_id = excluded.order_id
      RETURNING tracking_number`,
    values: [orderId, trackingNumber],
  });
  return must(written.rows[0], `a shipment of order ${orderId}`).tracking_number ?? undefined;
}

/**
 * Records that the order is not to be shipped; a later request to ship it is refused.
 *
 * @returns the tracking number if the order has already been shipped, or undefined if it never will be
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

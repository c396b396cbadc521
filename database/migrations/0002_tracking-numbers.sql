-- Up Migration

-- The order keeps its tracking number, whoever ships it: the built-in warehouse or the shop's own.
ALTER TABLE orders ADD COLUMN tracking_number text;
CREATE INDEX orders_by_tracking_number ON orders (tracking_number);

-- The built-in warehouse writes down as well what it is told not to ship, and never ships it then.
ALTER TABLE shipments
  ALTER COLUMN tracking_number DROP NOT NULL,
  ADD COLUMN called_off boolean NOT NULL DEFAULT false,
  ADD CHECK (called_off = (tracking_number IS NULL));

-- Down Migration

ALTER TABLE shipments DROP COLUMN called_off;
DELETE FROM shipments WHERE tracking_number IS NULL;
ALTER TABLE shipments ALTER COLUMN tracking_number SET NOT NULL;
ALTER TABLE orders DROP COLUMN tracking_number;

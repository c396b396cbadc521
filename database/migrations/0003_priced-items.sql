-- Up Migration

-- Stripe makes no payment for nothing, so an order that costs nothing could never be paid.
ALTER TABLE items DROP CONSTRAINT items_unit_amount_minor_check;
ALTER TABLE items ADD CHECK (unit_amount_minor BETWEEN 1 AND 99999999);

-- Down Migration

ALTER TABLE items DROP CONSTRAINT items_unit_amount_minor_check;
ALTER TABLE items ADD CHECK (unit_amount_minor BETWEEN 0 AND 99999999);

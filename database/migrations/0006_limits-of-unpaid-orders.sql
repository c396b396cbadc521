-- Up Migration

-- Whose unpaid orders hold how much, for the limits of one customer and of one client address. It stands with the
-- reservation, which is written before the order's row is: orders that are made at once see each other.
ALTER TABLE reservations
  ADD COLUMN customer_id text,
  -- A hash that ORDER_ID_SECRET keys; only kept while there is a limit for addresses.
  ADD COLUMN address_hash text,
  -- Until the order is paid; a reservation that is released awaits nothing either.
  ADD COLUMN awaits_payment boolean NOT NULL DEFAULT true;

UPDATE reservations SET customer_id = orders.customer_id,
  awaits_payment = orders.status IN ('PENDING', 'WAITING_FOR_PAYMENT')
FROM orders WHERE orders.order_id = reservations.order_id;

-- Orders that were paid stay held for good, and are not in here: what is counted are the few that are open.
CREATE INDEX reservations_unpaid_by_customer ON reservations (customer_id) WHERE state = 'held' AND awaits_payment;
CREATE INDEX reservations_unpaid_by_address ON reservations (address_hash)
  WHERE state = 'held' AND awaits_payment AND address_hash IS NOT NULL;

-- Down Migration

ALTER TABLE reservations DROP COLUMN awaits_payment, DROP COLUMN address_hash, DROP COLUMN customer_id;

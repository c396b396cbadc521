-- Up Migration

-- The refunds of an order's payments, whoever made them: an operator here, the order itself, or a person at Stripe. What is
-- left to refund is what the shop has of the payment less the refunds that are asked for and not decided, so that two
-- operators together never give back more than is there.
CREATE TABLE refunds (
  refund_id text PRIMARY KEY CHECK (refund_id ~ '^[0-9a-f]{24}$'),
  order_id text NOT NULL REFERENCES orders,
  payment_intent_id text NOT NULL,
  -- Of a refund of all that is left it is what was left when it was asked for, then what Stripe made of it.
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  is_whole boolean NOT NULL DEFAULT false,
  -- The pieces that the amount is the price of, as [{ "itemId", "quantity" }]; null if an amount was asked for.
  items jsonb,
  restock boolean NOT NULL DEFAULT false,
  reason text,
  requested_by text,
  state text NOT NULL CHECK (state IN ('asked', 'accepted', 'failed')),
  failure_reason text,
  stripe_refund_id text UNIQUE,
  -- Made at Stripe, and not by our key.
  made_at_stripe boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK ((state = 'failed') = (failure_reason IS NOT NULL))
);
CREATE INDEX refunds_by_order ON refunds (order_id, created_at, refund_id);
CREATE INDEX refunds_asked ON refunds (created_at) WHERE state = 'asked';
-- All that is left is asked for once at a time.
CREATE UNIQUE INDEX refunds_whole_asked ON refunds (order_id) WHERE is_whole AND state = 'asked';

-- Refunds of all that is left that were decided on before there was a table. What is known of the others is at Stripe.
INSERT INTO refunds
  (refund_id, order_id, payment_intent_id, amount_minor, is_whole, restock, reason, requested_by, state, created_at)
SELECT DISTINCT ON (o.order_id)
  substr(encode(sha256(convert_to('["refund",' || to_json(o.order_id)::text || ',' || to_json(t.source)::text || ']', 'UTF8')), 'hex'), 1, 24),
  o.order_id, o.payment_intent_id, o.kept_amount_minor, true, (t.data->'refund'->>'restock')::boolean,
  t.data->'refund'->>'reason', t.data->'refund'->>'operator', 'asked', t.at
FROM orders o JOIN order_timeline t USING (order_id)
WHERE t.data ? 'refund' AND t.status = o.status AND o.status IN ('PAID', 'FINISHED')
  AND o.payment_intent_id IS NOT NULL AND o.kept_amount_minor > 0
ORDER BY o.order_id, t.seq DESC;

-- What the bank took back for good. A row knows every refund once it is heard of, and a dispute that is lost stays lost: so
-- what is kept follows from the rows, and an answer of Stripe that was overtaken by a newer one changes nothing.
ALTER TABLE orders ADD COLUMN lost_amount_minor bigint NOT NULL DEFAULT 0 CHECK (lost_amount_minor >= 0);

-- Pieces of a line that came back with a refund of a part.
ALTER TABLE reservation_lines
  ADD COLUMN given_back integer NOT NULL DEFAULT 0 CHECK (given_back BETWEEN 0 AND quantity);
ALTER TABLE reservations
  -- When the goods were first asked to be shipped: from then on none of them can be kept back.
  ADD COLUMN shipping_since timestamptz,
  -- Pieces that are not to be shipped since they are refunded, as [{ "itemId", "quantity" }].
  ADD COLUMN kept_back jsonb NOT NULL DEFAULT '[]';
UPDATE reservations SET shipping_since = orders.updated_at
FROM orders WHERE orders.order_id = reservations.order_id AND orders.status = 'PAID';

-- Down Migration

ALTER TABLE reservations DROP COLUMN kept_back, DROP COLUMN shipping_since;
ALTER TABLE reservation_lines DROP COLUMN given_back;
ALTER TABLE orders DROP COLUMN lost_amount_minor;
DROP TABLE refunds;

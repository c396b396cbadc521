-- Up Migration

-- PostgreSQL numbers the entries of a timeline, whoever writes them: the order's workflow, its aftercare, a refund. What
-- makes an entry one entry is what it comes from.
UPDATE order_timeline SET source = event || ':' || seq WHERE source IS NULL;
ALTER TABLE order_timeline
  ALTER COLUMN source SET NOT NULL,
  -- What programs read of the entry: the refund that was decided on, for example.
  ADD COLUMN data jsonb NOT NULL DEFAULT '{}';

-- What the shop has of the order's payment: charged − refunded − lost in disputes, whoever refunded.
ALTER TABLE orders
  ADD COLUMN kept_amount_minor bigint NOT NULL DEFAULT 0 CHECK (kept_amount_minor >= 0),
  -- When that was so, in ms since 1970: what was read before does not overwrite what was read later.
  ADD COLUMN kept_as_of_ms bigint NOT NULL DEFAULT 0;
UPDATE orders SET kept_amount_minor = total_amount_minor WHERE status IN ('PAID', 'FINISHED');

-- Down Migration

ALTER TABLE orders DROP COLUMN kept_amount_minor, DROP COLUMN kept_as_of_ms;
ALTER TABLE order_timeline DROP COLUMN data, ALTER COLUMN source DROP NOT NULL;

-- Up Migration

-- Lists of orders go from page to page by (created_at, order_id), the newest first. Each filter that many orders share
-- has an index in that order, so that a page costs the same whether it is the first or the last.
DROP INDEX orders_by_status, orders_by_customer;
CREATE INDEX orders_by_creation ON orders (created_at DESC, order_id DESC);
CREATE INDEX orders_by_status ON orders (status, created_at DESC, order_id DESC);
CREATE INDEX orders_by_customer ON orders (customer_id, created_at DESC, order_id DESC);

-- The catalogue. What came in and what was corrected are one number, which a correction can make negative:
-- initial + restocked = available + held by reservations.
ALTER TABLE items
  ADD COLUMN on_sale boolean NOT NULL DEFAULT true,
  DROP CONSTRAINT items_restocked_check,
  ADD CONSTRAINT items_stock_is_not_negative CHECK (initial::bigint + restocked >= 0);

-- Who changed what of an item, when and why. Rows are only added.
CREATE TABLE item_changes (
  change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  item_id text NOT NULL REFERENCES items,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  changed_by text NOT NULL CHECK (changed_by <> ''),
  reason text,
  -- What was changed, before and after it; null for an item that was not there before.
  old_values jsonb,
  new_values jsonb NOT NULL
);
CREATE INDEX item_changes_by_item ON item_changes (item_id, change_id);

-- The feed of events: every entry of every timeline in one order without gaps. Whoever reads the feed numbers the entries
-- that are committed and have no number yet, one reader at a time; a sequence would have gaps, and would number entries in
-- another order than the one in which they become visible. See database/events.ts.
ALTER TABLE order_timeline ADD COLUMN event_id bigint CHECK (event_id > 0);
UPDATE order_timeline t SET event_id = numbered.event_id
FROM (
  SELECT order_id, seq, row_number() OVER (ORDER BY reached_at, order_id, seq) AS event_id
  FROM (
    SELECT order_id, seq, max(at) OVER (PARTITION BY order_id ORDER BY seq) AS reached_at FROM order_timeline
  ) entries
) numbered
WHERE t.order_id = numbered.order_id AND t.seq = numbered.seq;
ALTER TABLE order_timeline ADD UNIQUE (event_id);
CREATE INDEX order_timeline_without_number ON order_timeline (order_id, seq) WHERE event_id IS NULL;

-- Down Migration

ALTER TABLE order_timeline DROP COLUMN event_id;

DROP TABLE item_changes;
UPDATE items SET initial = initial + restocked, restocked = 0 WHERE restocked < 0;
ALTER TABLE items
  DROP COLUMN on_sale,
  DROP CONSTRAINT items_stock_is_not_negative,
  ADD CONSTRAINT items_restocked_check CHECK (restocked >= 0);
DROP INDEX orders_by_creation, orders_by_status, orders_by_customer;
CREATE INDEX orders_by_status ON orders (status, created_at DESC);
CREATE INDEX orders_by_customer ON orders (customer_id, created_at DESC);

-- Up Migration

-- Lists of orders go from page to page by (created_at, order_id), the newest first. Each filter that many orders share
-- has an index in that order, so that a page costs the same whether it is the first or the last.
DROP INDEX orders_by_status, orders_by_customer;
CREATE INDEX orders_by_creation ON orders (created_at DESC, order_id DESC);
CREATE INDEX orders_by_status ON orders (status, created_at DESC, order_id DESC);
CREATE INDEX orders_by_customer ON orders (customer_id, created_at DESC, order_id DESC);

-- Down Migration

DROP INDEX orders_by_creation, orders_by_status, orders_by_customer;
CREATE INDEX orders_by_status ON orders (status, created_at DESC);
CREATE INDEX orders_by_customer ON orders (customer_id, created_at DESC);

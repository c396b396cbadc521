-- Up Migration

-- Stock. For every item: initial + restocked = available + held by reservations.
CREATE TABLE items (
  item_id text PRIMARY KEY,
  name text NOT NULL,
  -- Stripe takes at most eight digits; this bound also keeps every total exact.
  unit_amount_minor bigint NOT NULL CHECK (unit_amount_minor BETWEEN 0 AND 99999999),
  currency char(3) NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  initial integer NOT NULL CHECK (initial >= 0),
  restocked integer NOT NULL DEFAULT 0 CHECK (restocked >= 0),
  available integer NOT NULL CHECK (available >= 0)
);

-- One row an order; it is locked before any of the order's stock moves.
CREATE TABLE reservations (
  order_id text PRIMARY KEY CHECK (order_id ~ '^[0-9a-f]{24}$'),
  -- The workflow run that holds the stock; another run under the same order id is refused.
  run_id text NOT NULL,
  state text NOT NULL CHECK (state IN ('held', 'released')),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  released_at timestamptz,
  CHECK ((state = 'released') = (released_at IS NOT NULL))
);

CREATE TABLE reservation_lines (
  order_id text NOT NULL REFERENCES reservations,
  item_id text NOT NULL REFERENCES items,
  quantity integer NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (order_id, item_id)
);

-- Orders.
CREATE TABLE orders (
  order_id text PRIMARY KEY CHECK (order_id ~ '^[0-9a-f]{24}$'),
  customer_id text NOT NULL,
  status text NOT NULL CHECK (
    status IN ('PENDING', 'WAITING_FOR_PAYMENT', 'PAID', 'FINISHED', 'CANCELLED', 'EXPIRED', 'REFUNDED')
  ),
  -- The timeline entry that the row shows.
  seq integer NOT NULL CHECK (seq > 0),
  total_amount_minor bigint NOT NULL CHECK (total_amount_minor >= 0),
  currency char(3) NOT NULL,
  request_hash text NOT NULL,
  trace_id text NOT NULL,
  run_id text NOT NULL,
  payment_link text,
  checkout_session_id text UNIQUE,
  payment_intent_id text UNIQUE,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX orders_by_status ON orders (status, created_at DESC);
CREATE INDEX orders_by_customer ON orders (customer_id, created_at DESC);

CREATE TABLE order_lines (
  order_id text NOT NULL REFERENCES orders,
  line_number integer NOT NULL CHECK (line_number > 0),
  item_id text NOT NULL,
  name text NOT NULL,
  quantity integer NOT NULL CHECK (quantity > 0),
  unit_amount_minor bigint NOT NULL CHECK (unit_amount_minor >= 0),
  PRIMARY KEY (order_id, line_number)
);

-- What happened to an order, in order. An entry is written once, whoever writes it again.
CREATE TABLE order_timeline (
  order_id text NOT NULL REFERENCES orders,
  seq integer NOT NULL CHECK (seq > 0),
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  status text NOT NULL,
  event text NOT NULL,
  detail text NOT NULL,
  -- What the entry comes from, for entries after the order's workflow has ended: a Stripe event, a refund.
  source text,
  PRIMARY KEY (order_id, seq),
  UNIQUE (order_id, source)
);

-- Fulfillment: the built-in warehouse.
CREATE TABLE shipments (
  order_id text PRIMARY KEY REFERENCES orders,
  tracking_number text NOT NULL UNIQUE,
  shipped_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

INSERT INTO items (item_id, name, unit_amount_minor, currency, initial, available) VALUES
  ('prod_SNjRcpjxpiazxk', 'Pencil', 100, 'USD', 100, 100),
  ('prod_SNjQpQjNC8QuaD', 'Book', 500, 'USD', 200, 200);

-- Down Migration

DROP TABLE shipments, order_timeline, order_lines, orders, reservation_lines, reservations, items;

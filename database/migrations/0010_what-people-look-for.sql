-- Up Migration

-- Entries that a person may have to act on, few among many: the operators' desk lists them. The list of events is that of
-- database/desk.ts; a query uses the index only if it names the same ones.
CREATE INDEX order_timeline_for_people ON order_timeline (at) WHERE event IN (
  'payment.disputed', 'payment.in_review', 'payment.fraud_warning', 'fulfillment.held', 'fulfillment.delayed',
  'refund.delayed', 'refund.failed'
);

-- Every answer of the API names its trace, and a customer may have nothing else in hand.
CREATE INDEX orders_by_trace ON orders (trace_id);

-- Down Migration

DROP INDEX order_timeline_for_people, orders_by_trace;

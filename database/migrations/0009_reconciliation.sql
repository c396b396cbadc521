-- Up Migration

-- Comparisons of the rows with Stripe, the newest last. At most one is unfinished, and the next run goes on with it.
CREATE TABLE reconciliations (
  reconciliation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- It compares what was made at Stripe since then.
  looked_from timestamptz NOT NULL,
  -- Where it is while it runs: the list, and the last entry that was compared.
  position jsonb,
  balance jsonb NOT NULL,
  -- How many payments differed in the end.
  differing integer,
  finished_at timestamptz,
  CHECK ((finished_at IS NULL) = (position IS NOT NULL)),
  CHECK ((finished_at IS NULL) = (differing IS NULL))
);
CREATE UNIQUE INDEX reconciliations_one_unfinished ON reconciliations ((true)) WHERE finished_at IS NULL;

-- Payments that each reconciliation looks at again, however old they are: those that differ, and those of which a bank or
-- Stripe still has something to decide.
CREATE TABLE unsettled_payments (
  payment_intent_id text PRIMARY KEY,
  -- What the rows and Stripe say; null if they agree so far.
  difference jsonb,
  -- Whether it is left out of the sums of the comparison that is under way until that has looked at it again.
  is_uncounted boolean NOT NULL DEFAULT false,
  -- Whether a person was called because of this difference.
  is_told boolean NOT NULL DEFAULT false,
  looked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Down Migration

DROP TABLE unsettled_payments, reconciliations;

-- Up Migration

-- Stripe refuses a Checkout Session with such a name or price, so an order with the item could never be paid. The rules
-- for prices are those of whyStripeRefusesPrice in domain/money.ts; a test compares the two.
DO $$
DECLARE
  refused text;
BEGIN
  SELECT string_agg(format('%s (%s)', item_id, problem), ', ' ORDER BY item_id) INTO refused
  FROM (
    SELECT item_id, CASE
      WHEN name ~ '[\u0001-\u001F\u007F-\u009F\u2028\u2029]'
        THEN 'its name has a line break or another control character'
      WHEN name !~ '[^\s\u00A0\u1680\u2000-\u200D\u2028\u2029\u202F\u205F\u2060\u3000\uFEFF]'
        THEN 'its name is blank'
      WHEN char_length(name) > 250
        THEN format('its name has %s characters, and Stripe accepts 250', char_length(name))
      WHEN currency IN ('ISK', 'UGX') AND unit_amount_minor % 100 <> 0
        THEN format('its price of %s is not a multiple of 100, and %s has no fractions', unit_amount_minor, currency)
      WHEN currency IN ('BHD', 'JOD', 'KWD', 'OMR', 'TND') AND unit_amount_minor % 10 <> 0
        THEN format('its price of %s is not a multiple of 10, as Stripe wants for %s', unit_amount_minor, currency)
    END AS problem
    FROM items
  ) checked
  WHERE problem IS NOT NULL;
  IF refused IS NOT NULL THEN
    RAISE EXCEPTION 'Stripe refuses these items, so no order with them can be paid: %. Nothing was changed. Fix their name or unit_amount_minor in the table items with UPDATE, then migrate again', refused;
  END IF;
END $$;

ALTER TABLE items
  ADD CONSTRAINT items_name_is_one_line CHECK (name !~ '[\u0001-\u001F\u007F-\u009F\u2028\u2029]'),
  -- Spaces of every width and invisible characters are not a name.
  ADD CONSTRAINT items_name_is_not_blank
    CHECK (name ~ '[^\s\u00A0\u1680\u2000-\u200D\u2028\u2029\u202F\u205F\u2060\u3000\uFEFF]'),
  ADD CONSTRAINT items_name_is_short_enough CHECK (char_length(name) <= 250),
  ADD CONSTRAINT items_price_is_chargeable CHECK (
    unit_amount_minor % CASE
      WHEN currency IN ('ISK', 'UGX') THEN 100
      WHEN currency IN ('BHD', 'JOD', 'KWD', 'OMR', 'TND') THEN 10
      ELSE 1
    END = 0
  );

-- Down Migration

ALTER TABLE items
  DROP CONSTRAINT items_name_is_one_line,
  DROP CONSTRAINT items_name_is_not_blank,
  DROP CONSTRAINT items_name_is_short_enough,
  DROP CONSTRAINT items_price_is_chargeable;

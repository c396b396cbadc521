/** The requests and answers of the catalogue's routes. */
import { z } from 'zod';
import type { ItemOnSale, ItemRecord } from '../database/items.ts';
import { itemIdSchema, lineSchema, objectProblem } from './schemas.ts';

/** Stripe's largest amount has eight digits; domain/money.ts has the rules of each currency. */
const MAX_AMOUNT_MINOR = 99_999_999;
const CURRENCIES = new Set(Intl.supportedValuesOf('currency'));
/** Larger than any delivery, and small enough to catch a typing error. */
const MAX_STOCK_CHANGE = 1_000_000;

const MINOR_UNITS = `must be a whole number from 1 to ${MAX_AMOUNT_MINOR}, in minor units of the currency`;
const CURRENCY = 'must be a currency code (ISO 4217) in capital letters';
const PIECES = `must be a whole number from 0 to ${MAX_STOCK_CHANGE}`;
const CHANGE = `must be a whole number from -${MAX_STOCK_CHANGE} to ${MAX_STOCK_CHANGE}, and not 0`;

const nameSchema = z
  .string('must be a text')
  .describe('The name that customers see, here and on Stripe’s page; in one line.')
  .meta({ minLength: 1, maxLength: 250 });
const priceSchema = z
  .int(MINOR_UNITS)
  .min(1, MINOR_UNITS)
  .max(MAX_AMOUNT_MINOR, MINOR_UNITS)
  .describe('In minor units of the currency, cents for USD.');
const onSaleSchema = z.boolean('must be true or false').describe('Whether it can be ordered from now on.');
const reasonSchema = lineSchema(200).describe('Why, for the list of changes; customers do not see it.');

export const newItemSchema = z.strictObject(
  {
    item_id: itemIdSchema,
    name: nameSchema,
    unit_amount_minor: priceSchema,
    currency: z
      .string(CURRENCY)
      .regex(/^[A-Z]{3}$/, CURRENCY)
      .refine((code) => CURRENCIES.has(code), CURRENCY)
      .describe('ISO 4217.'),
    available: z
      .int(PIECES)
      .min(0, PIECES)
      .max(MAX_STOCK_CHANGE, PIECES)
      .default(0)
      .describe('Pieces in stock at the start.'),
    on_sale: onSaleSchema.default(true),
    reason: reasonSchema.optional(),
  },
  { error: objectProblem },
);

export const changeItemSchema = z
  .strictObject(
    {
      name: nameSchema.optional(),
      unit_amount_minor: priceSchema.optional(),
      on_sale: onSaleSchema.optional(),
      reason: reasonSchema.optional(),
    },
    { error: objectProblem },
  )
  .refine(
    ({ name, unit_amount_minor: price, on_sale: onSale }) => [name, price, onSale].some((field) => field !== undefined),
    'needs one of name, unit_amount_minor and on_sale',
  )
  .meta({ anyOf: [{ required: ['name'] }, { required: ['unit_amount_minor'] }, { required: ['on_sale'] }] });

export const changeStockSchema = z.strictObject(
  {
    change: z
      .int(CHANGE)
      .min(-MAX_STOCK_CHANGE, CHANGE)
      .max(MAX_STOCK_CHANGE, CHANGE)
      .refine((change) => change !== 0, CHANGE)
      .meta({ not: { const: 0 } })
      .describe('Pieces to add; negative to remove those that are lost, broken or were miscounted.'),
    reason: reasonSchema,
  },
  { error: objectProblem },
);

const itemOnSaleSchema = z.object({
  item_id: z.string(),
  name: z.string(),
  unit_amount_minor: z.int().describe('In minor units of the currency, cents for USD.'),
  currency: z.string().describe('ISO 4217.'),
  available: z.int().describe('Pieces that can be ordered now.'),
});
export const itemsOnSaleSchema = z.object({ items: z.array(itemOnSaleSchema) });

export const itemSchema = itemOnSaleSchema.extend({
  on_sale: z.boolean(),
  held: z.int().describe('Pieces that orders hold, shipped ones included.'),
  initial: z.int().describe('Pieces in stock at the start.'),
  restocked: z.int().describe('Pieces added since, less those removed: initial + restocked = available + held.'),
});
export const itemsSchema = z.object({ items: z.array(itemSchema) });

export function toItemOnSaleView(item: ItemOnSale): z.output<typeof itemOnSaleSchema> {
  const { itemId, name, unitAmountMinor, currency, available } = item;
  return { item_id: itemId, name, unit_amount_minor: unitAmountMinor, currency, available };
}

export function toItemView(item: ItemRecord): z.output<typeof itemSchema> {
  const { onSale, held, initial, restocked } = item;
  return { ...toItemOnSaleView(item), on_sale: onSale, held, initial, restocked };
}

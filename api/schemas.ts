/** What clients send to the orders API and get from it, validated at its edge and shown in its OpenAPI document. */
import { z } from 'zod';
import { MAX_LINES, MAX_QUANTITY } from '../domain/order-lines.ts';
import { ORDER_ID } from '../domain/order-id.ts';
import { orderStatuses } from '../domain/order-status.ts';
import { unquoteKey } from './idempotency-key.ts';

const PRINTABLE_ASCII = /^[\x20-\x7e]+$/;

/** A printable text of 1 to `maxLength` characters; one message names all of its rules. */
export function asciiText(maxLength: number) {
  const rules = `must be a text of 1 to ${maxLength} printable ASCII characters`;
  return z.string(rules).min(1, rules).max(maxLength, rules).regex(PRINTABLE_ASCII, rules);
}

export const customerIdSchema = asciiText(128).describe("The client's own id for the customer.");
export const itemIdSchema = asciiText(128).describe('The id of an item in stock.');

const WHOLE_QUANTITY = `must be a whole number from 1 to ${MAX_QUANTITY}`;
const LINE_COUNT = `must be a list of 1 to ${MAX_LINES} lines`;

const requestedLineSchema = z.strictObject(
  {
    itemID: itemIdSchema,
    quantity: z.int(WHOLE_QUANTITY).min(1, WHOLE_QUANTITY).max(MAX_QUANTITY, WHOLE_QUANTITY),
  },
  { error: objectProblem },
);

export const createOrderSchema = z.strictObject(
  {
    customerID: customerIdSchema,
    items: z
      .array(requestedLineSchema, LINE_COUNT)
      .min(1, LINE_COUNT)
      .max(MAX_LINES, LINE_COUNT)
      .superRefine(refuseLargeSums)
      .describe('Lines of the same item are merged.'),
  },
  { error: objectProblem },
);

/** Lines of one item are merged, so the limit of a quantity applies to their sum. */
function refuseLargeSums(lines: readonly z.output<typeof requestedLineSchema>[], context: z.core.$RefinementCtx): void {
  const sums = new Map<string, number>();
  for (const [index, { itemID, quantity }] of lines.entries()) {
    const sum = (sums.get(itemID) ?? 0) + quantity;
    sums.set(itemID, sum);
    if (sum > MAX_QUANTITY && sum - quantity <= MAX_QUANTITY && quantity <= MAX_QUANTITY) {
      context.addIssue({
        code: 'custom',
        path: [index, 'quantity'],
        message: `brings the lines of ${itemID} to ${sum} in all, but an order has at most ${MAX_QUANTITY} of one item`,
      });
    }
  }
}

export function objectProblem(issue: {
  readonly code?: string | undefined;
  readonly keys?: unknown;
}): string | undefined {
  if (issue.code === 'unrecognized_keys' && Array.isArray(issue.keys)) {
    return `has unknown fields: ${issue.keys.join(', ')}`;
  }
  return issue.code === 'invalid_type' ? 'must be a JSON object' : undefined;
}

/** For a route without a body: an empty object is accepted, and any field is refused rather than ignored. */
export const emptyBodySchema = z.strictObject({}, { error: objectProblem }).nullish();

export const idempotencyKeySchema = asciiText(255)
  .transform(unquoteKey)
  .refine((key) => key !== '', 'must not be empty between its quotes')
  .optional()
  .describe('A repeat with the same key and request gets the same order and answer; `"k"` and `k` are the same key.');

export const orderStatusSchema = z.enum(orderStatuses);

export const createdOrderSchema = z.object({
  customer_id: z.string(),
  order_id: z.string().regex(ORDER_ID),
  redirect_url: z.url().describe('The payment page of the order.'),
});

const timelineEntrySchema = z.object({
  at: z.iso.datetime(),
  status: orderStatusSchema,
  event: z.string(),
  detail: z.string(),
});

/** An order as its customer sees it. */
export const orderSchema = z.object({
  order_id: z.string(),
  customer_id: z.string(),
  status: orderStatusSchema,
  items: z.array(
    z.object({
      item_id: z.string(),
      name: z.string(),
      quantity: z.int(),
      unit_amount_minor: z.int().describe('In minor units of the currency, cents for USD.'),
    }),
  ),
  total_amount_minor: z.int().describe('In minor units of the currency, cents for USD.'),
  currency: z.string().describe('ISO 4217.'),
  payment_link: z.string().nullable().describe("Stripe's page for the payment; null until there is one."),
  tracking_number: z.string().nullable().describe("The shipment's number; null until the order is shipped."),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  timeline: z.array(timelineEntrySchema),
});

export type OrderView = z.output<typeof orderSchema>;

/** An order as operators see it, with its ids at Stripe, in Temporal and in Zipkin. */
export const operatorOrderSchema = orderSchema.extend({
  timeline: z.array(
    timelineEntrySchema.extend({ by: z.string().nullable().describe('The operator who caused it; null if none did.') }),
  ),
  kept_amount_minor: z
    .int()
    .describe('What the shop has kept of the payment, in minor units: charged − refunded − lost in disputes.'),
  checkout_session_id: z.string().nullable(),
  payment_intent_id: z.string().nullable(),
  workflow_id: z.string(),
  trace_id: z.string(),
});

/** Ends a reason with a full stop: other sentences follow it on the timeline. */
export function asSentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** The reason that a customer reads if the operator has named none. */
export const DEFAULT_CANCEL_REASON = 'The shop cancelled the order.';
export const DEFAULT_REFUND_REASON = 'The shop refunded the order.';

/** PostgreSQL can't store a NUL, and an entry that it refuses would stop the order. */
const ONE_LINE = new RegExp(String.raw`^[^\u0000-\u001F\u007F-\u009F\u2028\u2029]+$`);

/** A text for people: 1 to `maxLength` characters, in one line. */
export function lineSchema(maxLength: number) {
  const rules = `must be a text of 1 to ${maxLength} characters in one line`;
  return z.string(rules).min(1, rules).max(maxLength, rules).regex(ONE_LINE, rules);
}

function reasonSchema(otherwise: string) {
  return lineSchema(200)
    .default(otherwise)
    .transform(asSentence)
    .describe("A sentence for the order's timeline, which its customer reads.");
}

export const operatorCancelSchema = z
  .strictObject({ reason: reasonSchema(DEFAULT_CANCEL_REASON) }, { error: objectProblem })
  .nullish()
  .transform((body) => body ?? { reason: DEFAULT_CANCEL_REASON });

export const refundOrderSchema = z.strictObject(
  {
    restock: z.boolean().describe('Whether the goods go back into stock.'),
    reason: reasonSchema(DEFAULT_REFUND_REASON),
  },
  { error: objectProblem },
);

/** The envelope of every answer of the orders API: snake_case in `data`, camelCase around it. */
export function envelopeSchema<T extends z.ZodType>(data: T) {
  return z.object({
    data,
    errorCode: z.int().describe('0 if all went well.'),
    message: z.string(),
    traceID: z.string().describe('The OpenTelemetry trace id; an order keeps the same one.'),
  });
}

/** An error: `data` is null, or what helps to fix it. */
export const errorSchema = envelopeSchema(z.record(z.string(), z.unknown()).nullable());

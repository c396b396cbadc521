/** What clients send to the orders API and get from it, validated at its edge and shown in its OpenAPI document. */
import { z } from 'zod';
import { MAX_LINES, MAX_QUANTITY } from '../domain/order-lines.ts';
import { ORDER_ID } from '../domain/order-id.ts';
import { orderStatuses } from '../domain/order-status.ts';
import { refundStates } from '../domain/refund.ts';
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

const refundSchema = z.object({
  amount_minor: z.int().describe('In minor units of the currency.'),
  items: z
    .array(z.object({ item_id: z.string(), quantity: z.int() }))
    .nullable()
    .describe('The pieces that the amount is the price of; null if it is of no certain pieces.'),
  reason: z.string().nullable(),
  state: z
    .enum(refundStates)
    .describe('`asked`: on its way. `accepted`: Stripe has made it. `failed`: it did not reach the customer.'),
  created_at: z.iso.datetime(),
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
  refunds: z
    .array(refundSchema)
    .describe('What was given back of the payment, or is being given back; the oldest first.'),
});

export type OrderView = z.output<typeof orderSchema>;

/** An order as operators see it, with its ids at Stripe, in Temporal and in Zipkin. */
export const operatorOrderSchema = orderSchema.extend({
  timeline: z.array(
    timelineEntrySchema.extend({ by: z.string().nullable().describe('The operator who caused it; null if none did.') }),
  ),
  refunds: z.array(
    refundSchema.extend({
      refund_id: z.string(),
      restock: z.boolean(),
      by: z.string().nullable().describe('The operator who asked for it; null if it was none.'),
      failure_reason: z.string().nullable(),
      stripe_refund_id: z.string().nullable(),
      made_at_stripe: z.boolean().describe('Whether it was made at Stripe, and not here.'),
    }),
  ),
  left_amount_minor: z.int().describe('What can still be refunded, in minor units: kept, less what is asked for.'),
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

const PART_LINES = `must be a list of 1 to ${MAX_LINES} items`;
const WHOLE_AMOUNT = 'must be a whole number of minor units, from 1';

/** Without `amount_minor` and `items` all that is left is refunded. */
export const refundOrderSchema = z
  .strictObject(
    {
      restock: z
        .boolean()
        .optional()
        .describe(
          'Whether the goods go back into stock; needed unless an amount is refunded, which brings nothing back.',
        ),
      reason: reasonSchema(DEFAULT_REFUND_REASON),
      amount_minor: z
        .int(WHOLE_AMOUNT)
        .min(1, WHOLE_AMOUNT)
        .optional()
        .describe('Refunds this part of what is left, in minor units.'),
      items: z
        .array(
          z.strictObject(
            {
              item_id: itemIdSchema,
              quantity: z.int(WHOLE_QUANTITY).min(1, WHOLE_QUANTITY).max(MAX_QUANTITY, WHOLE_QUANTITY),
            },
            { error: objectProblem },
          ),
          PART_LINES,
        )
        .min(1, PART_LINES)
        .max(MAX_LINES, PART_LINES)
        .optional()
        .describe('Refunds these pieces, at the price that they were sold for.'),
    },
    { error: objectProblem },
  )
  .superRefine(({ restock, amount_minor: amount, items }, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (amount !== undefined && items !== undefined)
      issue('items', 'cannot stand beside amount_minor; send one of them');
    else if (amount === undefined && restock === undefined)
      issue('restock', 'must say whether the goods go back into stock');
    else if (amount !== undefined && restock === true)
      issue('restock', 'cannot be true for an amount; name the items that came back');
  });

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

/** What the lists of the orders API take and answer: pages, the newest first. */
import { z } from 'zod';
import type { OrderPage, OrderPosition, ListedOrder } from '../database/order-pages.ts';
import { ORDER_ID } from '../domain/order-id.ts';
import { asciiText, customerIdSchema, orderStatusSchema } from './schemas.ts';

const MAX_LIMIT = 100;
const DEFAULT_LIMIT = 20;
const WHOLE_LIMIT = `must be a whole number from 1 to ${MAX_LIMIT}`;

/** A number in an address, which is text there. Only digits count: Number() takes `0x10` and blanks too. */
export function wholeNumber<T extends z.ZodType>(schema: T) {
  return z.preprocess(
    (value) => (typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value),
    schema,
  );
}

export const limitSchema = wholeNumber(
  z.int(WHOLE_LIMIT).min(1, WHOLE_LIMIT).max(MAX_LIMIT, WHOLE_LIMIT).default(DEFAULT_LIMIT),
).describe('Entries of a page at most.');

/** PostgreSQL's moment in microseconds, since two orders may be made in the same millisecond. */
const POSITION = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([0-9a-f]{24})$/;

function encodeCursor({ createdAt, orderId }: OrderPosition): string {
  return Buffer.from(`${createdAt} ${orderId}`).toString('base64url');
}

function decodeCursor(cursor: string): OrderPosition | undefined {
  const [, createdAt, orderId] = POSITION.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  if (createdAt === undefined || orderId === undefined || Number.isNaN(Date.parse(createdAt))) return undefined;
  return createdAt.startsWith('0000') ? undefined : { createdAt, orderId };
}

const cursorSchema = asciiText(100)
  .transform((cursor, context): OrderPosition => {
    const position = decodeCursor(cursor);
    if (position !== undefined) return position;
    context.addIssue({ code: 'custom', message: 'is not the next_cursor of a page; leave it out for the first page' });
    return z.NEVER;
  })
  .optional()
  .describe('The `next_cursor` of the page before; left out for the first page.');

/** PostgreSQL knows no year 0, and `Date` no time zone beyond a day. */
const momentSchema = z.iso
  .datetime({ offset: true, error: 'must be a moment such as 2026-01-31T09:00:00Z' })
  .transform((text) => new Date(text));

const pageQuery = { limit: limitSchema, cursor: cursorSchema };
/** For a query that takes no others. */
export const unknownParameters = {
  error: (issue: { readonly code?: string | undefined; readonly keys?: unknown }) =>
    issue.code === 'unrecognized_keys' && Array.isArray(issue.keys)
      ? `has unknown parameters: ${issue.keys.join(', ')}`
      : undefined,
};

export const customerOrdersQuery = z.strictObject(
  { status: orderStatusSchema.optional(), ...pageQuery },
  unknownParameters,
);

export const operatorOrdersQuery = z.strictObject(
  {
    status: orderStatusSchema.optional(),
    customer: customerIdSchema.optional(),
    created_from: momentSchema.optional().describe('Orders made at this moment or later.'),
    created_to: momentSchema.optional().describe('Orders made before this moment.'),
    order_id: asciiText(128).optional(),
    payment_intent: asciiText(255).optional().describe("Stripe's `pi_…`."),
    checkout_session: asciiText(255).optional().describe("Stripe's `cs_…`."),
    tracking_number: asciiText(255).optional(),
    ...pageQuery,
  },
  unknownParameters,
);

const pagedOrderSchema = z.object({
  order_id: z.string().regex(ORDER_ID),
  status: orderStatusSchema,
  total_amount_minor: z.int().describe('In minor units of the currency, cents for USD.'),
  currency: z.string().describe('ISO 4217.'),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
});

const nextCursorSchema = z
  .string()
  .nullable()
  .describe('Sent as `cursor`, it brings the next page; null if this is the last one.');

export const customerOrdersSchema = z.object({ orders: z.array(pagedOrderSchema), next_cursor: nextCursorSchema });
export const operatorOrdersSchema = z.object({
  orders: z.array(pagedOrderSchema.extend({ customer_id: z.string() })),
  next_cursor: nextCursorSchema,
});

/** What a page looks like to a client; `customer_id` is left out of a customer's own list by its schema. */
export function toOrdersView({ orders, next }: OrderPage): z.output<typeof operatorOrdersSchema> {
  return { orders: orders.map(toListedOrder), next_cursor: next === undefined ? null : encodeCursor(next) };
}

function toListedOrder(order: ListedOrder) {
  return {
    order_id: order.orderId,
    customer_id: order.customerId,
    status: order.status,
    total_amount_minor: order.totalAmountMinor,
    currency: order.currency,
    created_at: order.createdAt.toISOString(),
    updated_at: order.updatedAt.toISOString(),
  };
}

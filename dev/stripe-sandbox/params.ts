import { parse } from 'qs';
import { z } from 'zod';
import { fromZodError, invalidRequest } from './errors.ts';
import { isCurrency } from './money.ts';

export type FormData = Readonly<Record<string, unknown>>;

/**
 * Parses a form body or a query string as Stripe does: `line_items[0][price_data][currency]=usd` becomes a tree.
 *
 * @throws StripeApiError 400 when it is nested or long beyond Stripe's own limits
 */
export function parseForm(text: string): FormData {
  try {
    // plainObjects: metadata may have keys such as `constructor`, which qs would drop otherwise.
    return parse(text, { depth: 8, strictDepth: true, arrayLimit: 200, parameterLimit: 2000, plainObjects: true });
  } catch {
    throw invalidRequest('Invalid request: the parameters are nested too deep.');
  }
}

/** Checks form data against a schema and returns it typed, or throws the error that Stripe would answer. */
export function parseParams<T extends z.ZodType>(schema: T, input: FormData): z.output<T> {
  const parsed = schema.safeParse(input, { reportInput: true });
  if (!parsed.success) throw fromZodError(parsed.error);
  return parsed.data;
}

const fail = (message: string, code: string) => ({ error: message, params: { code } });

export const integer = z
  .string()
  .refine((text) => /^-?\d{1,15}$/.test(text), fail('Invalid integer', 'parameter_invalid_integer'))
  .transform(Number);

export const nonEmpty = (max: number) =>
  z
    .string()
    .refine((text) => text.trim() !== '', fail('You passed an empty string.', 'parameter_invalid_empty'))
    .refine(
      // Characters as Stripe (and PostgreSQL) count them: an emoji is one, though two units of UTF-16.
      (text) => Array.from(text).length <= max,
      fail(`Invalid string; must be at most ${max} characters`, 'parameter_invalid_string_length'),
    );

export const url = nonEmpty(5000).refine(
  (text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ''),
  fail('Not a valid URL. URLs must begin with http:// or https://.', 'url_invalid'),
);

export const boolean = z
  .string()
  .refine((text) => text === 'true' || text === 'false', fail('Invalid boolean', 'parameter_invalid_boolean'))
  .transform((text) => text === 'true');

export const currency = z
  .string()
  .transform((code) => code.toLowerCase())
  .refine(isCurrency, fail('Invalid currency: it must be a three-letter ISO code.', 'currency_invalid'));

/** Stripe's own limits: 50 keys of at most 40 characters, values of at most 500; an empty value removes the key. */
export const metadata = z
  .union([z.literal(''), z.record(z.string().max(40), z.string().max(500))])
  .transform((value): Record<string, string> => (value === '' ? {} : { ...value }))
  .refine((value) => Object.keys(value).length <= 50, 'Metadata can have at most 50 keys');

/** What an update leaves of an object's metadata: given keys are set, keys given as empty go. */
export function mergeMetadata(before: Readonly<Record<string, string>>, given: Readonly<Record<string, string>>) {
  return Object.fromEntries(Object.entries({ ...before, ...given }).filter(([, value]) => value !== ''));
}

const createdRange = z.union([
  integer.transform((at) => ({ gte: at, lte: at })),
  z.strictObject({
    gt: integer.optional(),
    gte: integer.optional(),
    lt: integer.optional(),
    lte: integer.optional(),
  }),
]);

export const listParams = {
  limit: integer.refine((limit) => limit >= 1 && limit <= 100, 'must be between 1 and 100').default(10),
  starting_after: z.string().optional(),
  ending_before: z.string().optional(),
  created: createdRange.optional(),
};

export type CreatedRange = z.output<typeof createdRange>;

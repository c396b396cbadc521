import { z } from 'zod';
import { invalidRequest } from '../../errors.ts';

const formSchema = z.record(z.string(), z.string()).catch({});

/** The fields that a form has sent. */
export function fieldsOf(body: unknown): Readonly<Record<string, string>> {
  return formSchema.parse(body);
}

/**
 * Checks what a form says by the schema of the route that does the same.
 *
 * @throws ApiError 1000 naming the fields
 */
export function checked<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalidRequest(parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), problem: message })));
}

/** An empty field is one that says nothing. */
export function given(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === '' ? undefined : text.trim();
}

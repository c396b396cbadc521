/** Stripe's own limit, in characters as people count them in a code point each. */
const MAX_NAME_CHARACTERS = 250;

const CONTROL_CHARACTER = /[\u0001-\u001F\u007F-\u009F\u2028\u2029]/;
/** Spaces of every width and invisible characters are not a name. */
const VISIBLE = /[^\s\u00A0\u1680\u2000-\u200D\u2028\u2029\u202F\u205F\u2060\u3000\uFEFF]/;

/** Half of a surrogate pair would reach PostgreSQL and Stripe as another character. */
const HALF_CHARACTER = /\p{Surrogate}/u;

/**
 * Says why Stripe refuses the name of an item. The rules are those of the CHECKs of the table items; a test compares the
 * two.
 *
 * @returns undefined if Stripe accepts it
 */
export function whyStripeRefusesName(name: string): string | undefined {
  // PostgreSQL has no text with a NUL at all.
  if (name.includes('\u0000') || CONTROL_CHARACTER.test(name)) {
    return 'must have no line breaks or other control characters';
  }
  if (!VISIBLE.test(name)) return 'must not be blank';
  if (HALF_CHARACTER.test(name)) return 'must be text, without halves of characters';
  const characters = [...name].length;
  if (characters > MAX_NAME_CHARACTERS) return `must have at most ${MAX_NAME_CHARACTERS} characters, not ${characters}`;
  return undefined;
}

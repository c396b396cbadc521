/** Stripe's own limit, counted in code points, as PostgreSQL's char_length does. */
const MAX_NAME_CHARACTERS = 250;

const CONTROL_CHARACTER = /[\p{Cc}\u2028\u2029]/u;
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
  if (CONTROL_CHARACTER.test(name)) return 'must have no line breaks or other control characters';
  if (!VISIBLE.test(name)) return 'must not be blank';
  if (HALF_CHARACTER.test(name)) return 'must be text, without halves of characters';
  const characters = Array.from(name).length;
  if (characters > MAX_NAME_CHARACTERS) return `must have at most ${MAX_NAME_CHARACTERS} characters, not ${characters}`;
  return undefined;
}

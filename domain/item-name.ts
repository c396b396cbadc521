/** Stripe's own limit, counted in code points, as PostgreSQL's char_length does. */
const MAX_NAME_CHARACTERS = 250;

const CONTROL_CHARACTER = /[\p{Cc}\u2028\u2029]/u;
/** A name needs a visible character: spaces of any width and invisible characters are not enough. */
const VISIBLE = /[^\s\u00A0\u1680\u2000-\u200D\u2028\u2029\u202F\u205F\u2060\u3000\uFEFF]/;

/** Half of a surrogate pair would reach PostgreSQL and Stripe as a different character. */
const HALF_CHARACTER = /\p{Surrogate}/u;

/**
 * Returns why Stripe refuses the name of an item. The table `items` has the same rules as CHECKs; a test compares the
 * two.
 *
 * @returns undefined if Stripe accepts it
 */
export function whyStripeRefusesName(name: string): string | undefined {
  if (CONTROL_CHARACTER.test(name)) return 'must have no line breaks or other control characters';
  if (!VISIBLE.test(name)) return 'must not be blank';
  if (HALF_CHARACTER.test(name)) return 'must be valid Unicode, without lone surrogates';
  const characters = Array.from(name).length;
  if (characters > MAX_NAME_CHARACTERS) return `must have at most ${MAX_NAME_CHARACTERS} characters, not ${characters}`;
  return undefined;
}

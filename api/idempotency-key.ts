/**
 * A String of RFC 8941, the form of a key in
 * https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header.
 */
const QUOTED = /^"((?:[^"\\]|\\["\\])*)"$/;

/** Returns the key without quotes: the draft requires them, most clients send none, and both are the same key. */
export function unquoteKey(key: string): string {
  const quoted = QUOTED.exec(key)?.[1];
  return quoted === undefined ? key : quoted.replace(/\\(["\\])/g, '$1');
}

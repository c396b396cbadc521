/** A String of RFC 8941, as https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header has a key. */
const QUOTED = /^"((?:[^"\\]|\\["\\])*)"$/;

/** Returns the key that is meant: the draft writes it in quotes, most clients without, and both are the same key. */
export function unquoteKey(key: string): string {
  const quoted = QUOTED.exec(key)?.[1];
  return quoted === undefined ? key : quoted.replace(/\\(["\\])/g, '$1');
}

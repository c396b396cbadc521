import { createHash } from 'node:crypto';
import { invalidRequest, StripeApiError } from './errors.ts';
import type { FormData } from './params.ts';
import type { Store, StoredAnswer } from './store.ts';

const MAX_KEY_LENGTH = 255;
/** Stripe may forget a key after a day; the sandbox takes it as new then. */
const KEY_LIFETIME_MS = 24 * 3600 * 1000;

/** Stripe's rule for POST: one key, one request, one answer. */
export class Idempotency {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #inProgress = new Set<string>();

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /**
   * Begins a request under a key.
   *
   * @returns the answer that the key has already, or how to end the request: with an answer to keep, or without
   * @throws StripeApiError 400 for a key that came with another request, 409 for one whose request still runs
   */
  begin(
    key: string,
    endpoint: string,
    params: FormData,
  ): StoredAnswer | { end: (answer?: { status: number; body: string }) => void } {
    if (key.length > MAX_KEY_LENGTH) {
      throw invalidRequest(
        `Idempotency keys can be at most ${MAX_KEY_LENGTH} characters long.`,
        undefined,
        'idempotency_key_too_long',
      );
    }
    const fingerprint = createHash('sha256')
      .update(JSON.stringify(sorted(params)))
      .digest('base64');
    const known = this.#store.get('answers', key);
    if (known !== undefined && this.#now() - known.createdAtMs < KEY_LIFETIME_MS) {
      if (known.endpoint !== endpoint)
        throw mismatch(`for the same endpoint they were first used for ('${known.endpoint}')`, key);
      if (known.fingerprint !== fingerprint) throw mismatch('with the same parameters they were first used with', key);
      return known;
    }
    if (this.#inProgress.has(key)) {
      throw new StripeApiError(409, {
        type: 'idempotency_error',
        code: 'idempotency_key_in_use',
        message: `There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): ${key}. Please try again later.`,
      });
    }
    this.#inProgress.add(key);
    return {
      end: (answer) => {
        this.#inProgress.delete(key);
        if (answer === undefined) return;
        this.#store.put('answers', key, { fingerprint, endpoint, ...answer, createdAtMs: this.#now() });
      },
    };
  }
}

function mismatch(rule: string, key: string): StripeApiError {
  return new StripeApiError(400, {
    type: 'idempotency_error',
    message: `Keys for idempotent requests can only be used ${rule}. Try using a key other than '${key}' if you meant to execute a different request.`,
  });
}

/** The order of form fields makes no other request. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

import { Stripe } from 'stripe';
import { must } from '../../domain/must.ts';
import { invalidRequest } from '../errors.ts';

/** Stripe's own tolerance; the SDK applies it to the past only, here it applies to the future too. */
const TOLERANCE_SECONDS = 300;

/**
 * Checks that Stripe has just signed a webhook, and returns its content.
 *
 * @param body the raw body, byte for byte
 * @param header the header `Stripe-Signature`
 * @param secrets one signing secret, or two while they are being rotated
 * @param nowMs in milliseconds since 1970
 * @throws ApiError 1000 if the signature is missing, malformed, of another secret, too old or from the future, or the
 *   body is not JSON
 * @see https://docs.stripe.com/webhooks/signature
 */
export function verifyStripeSignature(
  body: Buffer,
  header: string | undefined,
  secrets: readonly string[],
  nowMs: number,
): unknown {
  if (header === undefined || header === '') throw refusal('is missing: only Stripe may send events here');
  const results = new Set(secrets.map((secret) => checkSignature(body, header, secret, nowMs)));
  if (!results.has('right')) {
    throw results.has('stale')
      ? refusal(`is older than ${TOLERANCE_SECONDS} seconds; check the clocks, or have Stripe send the event again`)
      : refusal(
          'does not match the body and the endpoint secret; check STRIPE_ENDPOINT_SECRET, and that no proxy changes the body',
        );
  }
  refuseFuture(header, nowMs);
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw invalidRequest([{ path: 'body', problem: 'is not JSON' }]);
  }
}

/**
 * The SDK throws errors of several kinds for malformed headers, a plain one for `v1=` and a RangeError for letters
 * outside of ASCII: whatever it throws, the signature is not valid. Its `constructEvent` is not used, since it throws
 * for a thin event too, whose signature is valid.
 */
function checkSignature(body: Buffer, header: string, secret: string, nowMs: number): 'right' | 'stale' | 'wrong' {
  const { signature } = Stripe.webhooks;
  try {
    must(signature, "the SDK's check of signatures").verifyHeader(
      body,
      header,
      secret,
      TOLERANCE_SECONDS,
      undefined,
      nowMs,
    );
    return 'right';
  } catch (error) {
    return error instanceof Error && error.message.includes('tolerance') ? 'stale' : 'wrong';
  }
}

function refuseFuture(header: string, nowMs: number): void {
  const timestamp = Number(/(?:^|,)t=(\d+)(?:,|$)/.exec(header)?.[1]);
  // Written so that NaN is refused too.
  if (!(timestamp <= nowMs / 1000 + TOLERANCE_SECONDS)) throw refusal('is from the future; check the clocks');
}

function refusal(problem: string) {
  return invalidRequest([{ path: 'Stripe-Signature', problem }]);
}

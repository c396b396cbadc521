import { Stripe } from 'stripe';
import { invalidRequest } from '../errors.ts';

/** Stripe's own tolerance; the SDK takes it for the past alone, here it holds for the future too. */
const TOLERANCE_SECONDS = 300;

/**
 * Checks that Stripe signed a webhook a moment ago, and gives what is in it.
 *
 * @param body the body as it came, byte for byte
 * @param header the header `Stripe-Signature`
 * @param secrets one signing secret, or two while they are being rotated
 * @param nowMs in milliseconds since 1970
 * @throws ApiError 1000 where the signature is missing, of another secret, too old or from the future, or the body is no
 *   JSON
 * @see https://docs.stripe.com/webhooks/signature
 */
export function verifyStripeSignature(
  body: Buffer,
  header: string | undefined,
  secrets: readonly string[],
  nowMs: number,
): unknown {
  if (header === undefined || header === '') throw refusal('is missing: only Stripe may send events here');
  let stale = false;
  for (const secret of secrets) {
    try {
      const event: unknown = Stripe.webhooks.constructEvent(body, header, secret, TOLERANCE_SECONDS, undefined, nowMs);
      refuseFuture(header, nowMs);
      return event;
    } catch (error) {
      if (error instanceof Stripe.errors.StripeSignatureVerificationError) {
        stale ||= error.message.includes('tolerance');
        continue;
      }
      if (error instanceof SyntaxError) throw invalidRequest([{ path: 'body', problem: 'is not JSON' }]);
      throw error;
    }
  }
  throw stale
    ? refusal(`is older than ${TOLERANCE_SECONDS} seconds; check the clocks, or have Stripe send the event again`)
    : refusal(
        'does not match the body and the endpoint secret; check STRIPE_ENDPOINT_SECRET, and that no proxy changes the body',
      );
}

function refuseFuture(header: string, nowMs: number): void {
  const timestamp = Number(/(?:^|,)t=(\d+)(?:,|$)/.exec(header)?.[1]);
  // Written so that a timestamp that is no number is refused.
  if (!(timestamp <= nowMs / 1000 + TOLERANCE_SECONDS)) throw refusal('is from the future; check the clocks');
}

function refusal(problem: string) {
  return invalidRequest([{ path: 'Stripe-Signature', problem }]);
}

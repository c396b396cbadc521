import { Stripe } from 'stripe';
import type { CheckoutSession } from '../domain/payment.ts';
import type { StripeConfig } from './config.ts';
import { createTracedHttpClient } from './stripe-tracing.ts';

/** Stripe answers within seconds; a request that takes longer is retried by Temporal under the same key. */
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * Creates the client of Stripe, or of the sandbox if the settings name one. It does not retry: retries belong to
 * Temporal, which survives a crash between them.
 */
export function createStripe(config: StripeConfig): Stripe {
  return new Stripe(config.apiKey, {
    ...(config.sandboxUrl === undefined ? {} : sandboxAddress(config.sandboxUrl)),
    httpClient: createTracedHttpClient(),
    maxNetworkRetries: 0,
    timeout: REQUEST_TIMEOUT_MS,
    telemetry: false,
    appInfo: { name: 'order-backend' },
  });
}

function sandboxAddress(url: string): { host: string; port: string; protocol: 'http' | 'https' } {
  const { hostname, port, protocol } = new URL(url);
  const isHttps = protocol === 'https:';
  return { host: hostname, port: port === '' ? (isHttps ? '443' : '80') : port, protocol: isHttps ? 'https' : 'http' };
}

/** A status that Stripe adds later counts as unpaid, so nothing is shipped because of it. */
const PAID: ReadonlySet<string> = new Set(['paid', 'no_payment_required']);

/** The statuses of a payment intent whose delayed payment has failed. */
const FAILED_INTENT: ReadonlySet<Stripe.PaymentIntent.Status> = new Set(['requires_payment_method', 'canceled']);

/**
 * Reduces a Checkout Session to what an order acts on.
 *
 * @param session as an event carries it or, with `payment_intent` expanded, as it was read: only the payment intent
 *   tells a delayed payment that failed from one that is still on its way
 */
export function toCheckoutSession(session: Stripe.Checkout.Session): CheckoutSession {
  const intent = session.payment_intent;
  const paid = PAID.has(session.payment_status);
  const failed =
    !paid && session.status === 'complete' && typeof intent === 'object' && intent !== null
      ? FAILED_INTENT.has(intent.status)
      : false;
  return {
    sessionId: session.id,
    orderId: session.metadata?.['order_id'] ?? null,
    status: toStatus(session.status),
    payment: paid ? 'paid' : failed ? 'failed' : 'unpaid',
    paymentIntentId: typeof intent === 'object' ? (intent?.id ?? null) : intent,
    amountMinor: session.amount_total ?? 0,
    currency: (session.currency ?? '').toUpperCase(),
    livemode: session.livemode,
  };
}

/** A status that Stripe adds later counts as open, so no order ends because of it. */
function toStatus(status: string | null): CheckoutSession['status'] {
  return status === 'complete' || status === 'expired' ? status : 'open';
}

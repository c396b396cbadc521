import type { OrderRecord } from '../database/orders.ts';
import type { Config } from '../platform/config.ts';

/** Where operators look further; null if there is nothing to see. */
export type LinksElsewhere = { readonly temporal: string; readonly zipkin: string; readonly stripe: string | null };

/** Returns where an order is found in Temporal's Web UI, in Zipkin, and at Stripe's dashboard. */
export function linksElsewhere(
  { links, temporal, stripe }: Pick<Config, 'links' | 'temporal' | 'stripe'>,
  { orderId, traceId, paymentIntentId }: Pick<OrderRecord, 'orderId' | 'traceId' | 'paymentIntentId'>,
): LinksElsewhere {
  const dashboard = `https://dashboard.stripe.com/${stripe.livemode ? '' : 'test/'}payments`;
  return {
    temporal: `${links.temporalUiUrl}/namespaces/${encodeURIComponent(temporal.namespace)}/workflows/${orderId}`,
    zipkin: `${links.zipkinUiUrl}/zipkin/traces/${traceId}`,
    // The sandbox has no dashboard.
    stripe: stripe.sandboxUrl === undefined && paymentIntentId !== null ? `${dashboard}/${paymentIntentId}` : null,
  };
}

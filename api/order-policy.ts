import type { OrderPolicy } from '../contracts/messages.ts';
import type { Config } from '../platform/config.ts';

/** The settings that are fixed for an order when it begins, or when the doctor recovers it. */
export type PolicyConfig = Pick<
  Config,
  'paymentWindowMs' | 'fulfillmentRetryMs' | 'stripeRetryMaxMs' | 'holdShipmentFor'
>;

/** Returns the shop's policy for its orders, from the settings. */
export function orderPolicy(config: PolicyConfig): OrderPolicy {
  const { paymentWindowMs, fulfillmentRetryMs, stripeRetryMaxMs, holdShipmentFor } = config;
  return { paymentWindowMs, fulfillmentRetryMs, stripeRetryMaxMs, holdShipmentFor };
}

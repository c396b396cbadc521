import type { OrderPolicy } from '../contracts/messages.ts';
import type { Config } from '../platform/config.ts';

/** What of the settings is fixed for an order when it begins, or when the doctor takes it up again. */
export type PolicyConfig = Pick<
  Config,
  'paymentWindowMs' | 'fulfillmentRetryMs' | 'stripeRetryMaxMs' | 'holdShipmentFor'
>;

/** Returns the shop's policy for its orders, as the settings have it. */
export function orderPolicy(config: PolicyConfig): OrderPolicy {
  const { paymentWindowMs, fulfillmentRetryMs, stripeRetryMaxMs, holdShipmentFor } = config;
  return { paymentWindowMs, fulfillmentRetryMs, stripeRetryMaxMs, holdShipmentFor };
}

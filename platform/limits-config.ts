import type { OpenLimit } from '../contracts/messages.ts';
import { ConfigError } from './config-error.ts';
import type { Environment } from './environment.ts';

export type LimitsConfig = {
  /** For each customer. */
  readonly customer: OpenLimit | undefined;
  /** For each client address. */
  readonly address: OpenLimit | undefined;
};

/**
 * The limits of unpaid orders; undefined if there are none.
 *
 * @throws ConfigError if client addresses would be kept without a secret
 */
export function limitsConfig(env: Environment): LimitsConfig | undefined {
  const customer = openLimit(env.CUSTOMER_MAX_UNPAID_ORDERS, env.CUSTOMER_MAX_UNPAID_PIECES);
  const address = openLimit(env.ADDRESS_MAX_UNPAID_ORDERS, env.ADDRESS_MAX_UNPAID_PIECES);
  if (address !== undefined && env.ORDER_ID_SECRET === undefined) {
    throw new ConfigError(
      'ORDER_ID_SECRET: not set, but a limit for client addresses is. They are only kept as hashes that this secret keys; set a random one of 32 characters or more.',
    );
  }
  return customer === undefined && address === undefined ? undefined : { customer, address };
}

function openLimit(maxOrders: number | undefined, maxPieces: number | undefined): OpenLimit | undefined {
  if (maxOrders === undefined && maxPieces === undefined) return undefined;
  return { ...(maxOrders !== undefined && { maxOrders }), ...(maxPieces !== undefined && { maxPieces }) };
}

import { createRemoteJWKSet, type JWTVerifyGetKey } from 'jose';
import type { Logger } from '../../platform/logger.ts';

/** So soon a provider's withdrawn key is no longer accepted. */
const REFRESH_AFTER_MS = 10 * 60_000;
/** A token with an unknown key asks the provider again, but no more often than this: anybody can make one up. */
const ASK_AGAIN_AFTER_MS = 10_000;
const TIMEOUT_MS = 5_000;

export type ProviderKeysOptions = {
  readonly jwksUrl: string;
  readonly logger: Logger;
  readonly refreshAfterMs?: number;
  readonly askAgainAfterMs?: number;
};

/**
 * The keys of an identity provider, fetched with the first token and kept. A key that is not among them is asked for. They
 * are refreshed in the background, so that a provider that is away stops no token whose key is known: jose's own expiry
 * would.
 */
export function createProviderKeys({
  jwksUrl,
  logger,
  refreshAfterMs = REFRESH_AFTER_MS,
  askAgainAfterMs = ASK_AGAIN_AFTER_MS,
}: ProviderKeysOptions): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(new URL(jwksUrl), {
    cacheMaxAge: Number.POSITIVE_INFINITY,
    cooldownDuration: askAgainAfterMs,
    timeoutDuration: TIMEOUT_MS,
  });
  let refreshAtMs = Date.now() + refreshAfterMs;

  async function refresh(): Promise<void> {
    try {
      await keys.reload();
    } catch (err) {
      // As often as an unknown key may ask: not with each request, but soon.
      refreshAtMs = Date.now() + askAgainAfterMs;
      logger.warn({ err, jwksUrl }, "The provider's keys could not be refreshed; those that are known go on");
    }
  }

  return async (header, token) => {
    if (keys.jwks() !== undefined && Date.now() >= refreshAtMs) {
      refreshAtMs = Date.now() + refreshAfterMs;
      void refresh();
    }
    return keys(header, token);
  };
}

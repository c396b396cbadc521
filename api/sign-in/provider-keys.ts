import { createRemoteJWKSet, type JWTVerifyGetKey } from 'jose';
import type { Logger } from '../../platform/logger.ts';

/** How long a key that the provider has withdrawn may still be accepted. */
const REFRESH_AFTER_MS = 10 * 60_000;
/** A token with an unknown key has the keys fetched again, but no more often than this: anybody can make one up. */
const ASK_AGAIN_AFTER_MS = 10_000;
const TIMEOUT_MS = 5_000;

export type ProviderKeysOptions = {
  readonly jwksUrl: string;
  readonly logger: Logger;
  readonly refreshAfterMs?: number;
  readonly askAgainAfterMs?: number;
};

/**
 * The keys of an identity provider, fetched with the first token and cached. An unknown key has them fetched again.
 * They are refreshed in the background, so that tokens with known keys are accepted while the provider is down; with
 * jose's own expiry they would not be.
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
      // Retry soon, but not with each request.
      refreshAtMs = Date.now() + askAgainAfterMs;
      logger.warn({ err, jwksUrl }, "The provider's keys could not be refreshed; the known ones stay in use");
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

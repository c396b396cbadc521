import { errors, jwtVerify, SignJWT } from 'jose';
import type { OrderLinkConfig } from '../../platform/sign-in-config.ts';
import { ApiError } from '../errors.ts';

const ALGORITHM = 'HS256';
/** No provider's token has these, so neither kind passes for the other. */
const ISSUER = 'orders-api';
const AUDIENCE = 'order-link';
/** Within an hour the same order gets the same link, since a repeated create should get the same answer. */
const ROUND_TO_SECONDS = 3600;
const MAX_TOKEN_LENGTH = 1024;

/** The token in the link to an order's payment page: until it expires, it can read, pay and cancel this one order. */
export type OrderLinks = {
  readonly sign: (orderId: string) => Promise<string>;
  /**
   * Checks the token of a link.
   *
   * @returns the order that it opens
   * @throws ApiError 1004 if it is not valid or has expired
   */
  readonly verify: (token: string) => Promise<string>;
};

export function createOrderLinks({ secrets, validSeconds }: OrderLinkConfig): OrderLinks {
  const keys = secrets.map((secret) => new TextEncoder().encode(secret));
  const [signingKey] = keys;
  if (signingKey === undefined) throw new RangeError('Links need a secret');
  return {
    sign: async (orderId) => {
      const endsAt = Math.ceil((Date.now() / 1000 + validSeconds) / ROUND_TO_SECONDS) * ROUND_TO_SECONDS;
      return new SignJWT()
        .setProtectedHeader({ alg: ALGORITHM })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(orderId)
        .setExpirationTime(endsAt)
        .sign(signingKey);
    },
    verify: async (token) => {
      if (token.length > MAX_TOKEN_LENGTH) throw linkRefused(undefined);
      let failure: unknown;
      for (const key of keys) {
        try {
          const { payload } = await jwtVerify(token, key, {
            algorithms: [ALGORITHM],
            issuer: ISSUER,
            audience: AUDIENCE,
            requiredClaims: ['sub', 'exp'],
          });
          return payload.sub ?? '';
        } catch (error) {
          failure = error;
          if (!(error instanceof errors.JWSSignatureVerificationFailed)) break;
        }
      }
      throw linkRefused(failure);
    },
  };
}

function linkRefused(cause: unknown): ApiError {
  const why =
    cause instanceof errors.JWTExpired
      ? 'has expired; ask the shop for a new one'
      : 'is not valid; open the whole link';
  return new ApiError('notSignedIn', `The link to the order ${why}`, { cause });
}

import { createHmac, hkdfSync, randomUUID, timingSafeEqual } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import type { Config } from '../../../platform/config.ts';

const ALGORITHM = 'HS256';
/** No token of a provider and no link has these, so that none passes for a session. */
const ISSUER = 'orders-api';
const AUDIENCE = 'operator-desk';
/** A working day; after it an operator signs in anew. */
const SESSION_SECONDS = 8 * 3600;

/** An operator who has signed in at the desk. */
export type OperatorSession = {
  /** Under which is written down what they do. */
  readonly name: string;
  /** What every form of this session carries; no other site can know it. */
  readonly formToken: string;
};

/**
 * Sessions of the operators' desk. They are kept nowhere: the cookie is a signed token that says who it is and when it ends,
 * so that every API process knows it.
 */
export type OperatorSessions = {
  /**
   * Begins a session.
   *
   * @param tokenEndsAtMs when the token ends that the operator has signed in with, in ms since 1970; the session ends then at the latest
   * @returns the value of the cookie, and for how long it counts
   */
  readonly begin: (
    name: string,
    tokenEndsAtMs: number,
  ) => Promise<{ readonly cookie: string; readonly maxAgeSeconds: number }>;
  /** Returns the session of a cookie; undefined if it is forged or over. */
  readonly read: (cookie: string) => Promise<OperatorSession | undefined>;
};

const claimsSchema = z.object({ sub: z.string().min(1), jti: z.string().min(1) });

/**
 * Makes the sessions of the desk. Their keys are derived from OPERATOR_TOKEN and ORDER_LINK_SECRET together, so that there
 * is no further secret to keep, and a new OPERATOR_TOKEN ends all sessions.
 *
 * @returns undefined if no operator can sign in
 */
export function createOperatorSessions(
  config: Pick<Config, 'operatorToken' | 'orderLinks' | 'signIn'>,
): OperatorSessions | undefined {
  if (config.operatorToken === undefined && config.signIn === undefined) return undefined;
  const linkSecrets = config.orderLinks?.secrets ?? [''];
  const keys = linkSecrets.map((secret) => deriveKey(JSON.stringify([config.operatorToken ?? '', secret])));
  const [signingKey] = keys;
  if (signingKey === undefined) throw new RangeError('Sessions need a secret');
  return {
    begin: async (name, tokenEndsAtMs) => {
      const nowSeconds = Math.floor(Date.now() / 1000);
      const endsAtSeconds = Math.min(nowSeconds + SESSION_SECONDS, Math.floor(tokenEndsAtMs / 1000));
      const cookie = await new SignJWT()
        .setProtectedHeader({ alg: ALGORITHM })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(name)
        .setJti(randomUUID())
        .setExpirationTime(endsAtSeconds)
        .sign(signingKey);
      return { cookie, maxAgeSeconds: endsAtSeconds - nowSeconds };
    },
    read: async (cookie) => {
      for (const key of keys) {
        const session = await readWith(key, cookie);
        if (session !== undefined) return session;
      }
      return undefined;
    },
  };
}

function deriveKey(secret: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', 'operator-desk-session', 32));
}

async function readWith(key: Uint8Array, cookie: string): Promise<OperatorSession | undefined> {
  try {
    const { payload } = await jwtVerify(cookie, key, {
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      audience: AUDIENCE,
      requiredClaims: ['exp'],
    });
    const { sub: name, jti } = claimsSchema.parse(payload);
    return { name, formToken: createHmac('sha256', key).update(`form ${jti}`).digest('base64url') };
  } catch {
    return undefined;
  }
}

/** Whether a form carries the token of the session that sends it. */
export function isOfSession({ formToken }: OperatorSession, given: string | undefined): boolean {
  const [left, right] = [Buffer.from(given ?? ''), Buffer.from(formToken)];
  return left.length === right.length && timingSafeEqual(left, right);
}

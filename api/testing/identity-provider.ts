import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { onTestFinished } from 'vitest';
import type { SignInConfig } from '../../platform/sign-in-config.ts';

export const ISSUER = 'https://login.shop.example/';
export const AUDIENCE = 'https://orders.shop.example';

type Claims = Readonly<Record<string, unknown>>;

/** How a token differs from a good one. */
export type TokenOptions = {
  readonly alg?: string;
  readonly kid?: string;
  /** Seconds from now; null for a token that never ends. */
  readonly endsIn?: number | null;
  readonly key?: CryptoKey | Uint8Array;
};

export type IdentityProvider = Awaited<ReturnType<typeof openIdentityProvider>>;

/** An identity provider with a JWKS address of its own; it is closed with the test. */
export async function startIdentityProvider(): Promise<IdentityProvider> {
  const provider = await openIdentityProvider();
  onTestFinished(provider.close);
  return provider;
}

/** The same, to be closed by whoever opened it. */
export async function openIdentityProvider() {
  let key = await newKey('key-1');
  let published: readonly JWK[] = [key.jwk];
  let isAway = false;
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    if (isAway) {
      request.destroy();
      return;
    }
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: published }));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/.well-known/jwks.json`;

  return {
    jwksUrl,
    config: {
      keys: { jwksUrl },
      issuer: ISSUER,
      audience: AUDIENCE,
      algorithms: ['RS256', 'ES256'],
      customerClaim: 'sub',
      operatorScope: 'orders:operate',
      operatorClaim: 'sub',
    } satisfies SignInConfig,
    /** How often its keys were fetched. */
    asked: () => asked,
    /** The key that signs now, as it is published. */
    publicJwk: () => key.jwk,
    /** Signs with another key from now on, and takes the old one back. */
    rotate: async (kid: string, alg = 'ES256') => {
      key = await newKey(kid, alg);
      published = [key.jwk];
    },
    /** Closes each connection without an answer. */
    goAway: () => {
      isAway = true;
    },
    comeBack: () => {
      isAway = false;
    },
    /** A token that is good but for what is said otherwise; a claim that is undefined is left out. */
    issue: async (claims: Claims, { alg, kid, endsIn = 300, key: otherKey }: TokenOptions = {}) => {
      const token = new SignJWT({ iss: ISSUER, aud: AUDIENCE, ...claims }).setProtectedHeader({
        alg: alg ?? key.alg,
        kid: kid ?? key.kid,
      });
      if (endsIn !== null) token.setExpirationTime(Math.floor(Date.now() / 1000) + endsIn);
      return token.sign(otherKey ?? key.privateKey);
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

export async function newKey(kid: string, alg = 'ES256') {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

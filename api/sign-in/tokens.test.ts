import { base64url, type CryptoKey, exportSPKI, importJWK, SignJWT } from 'jose';
import { describe, expect, test, vi } from 'vitest';
import { createLogger } from '../../platform/logger.ts';
import {
  AUDIENCE,
  type IdentityProvider,
  ISSUER,
  newKey,
  startIdentityProvider,
} from '../testing/identity-provider.ts';
import { createTokenVerifier } from './tokens.ts';

const logger = createLogger({ production: true, logLevel: 'silent' }, 'test');
const REFUSED = { errorCode: 1004, statusCode: 401 };
const AWAY = { errorCode: 5001, statusCode: 503 };
const now = () => Math.floor(Date.now() / 1000);

type Changes = Partial<Omit<Parameters<typeof createTokenVerifier>[0], 'config'>> & {
  readonly config?: Partial<IdentityProvider['config']>;
};

async function start({ config, ...rest }: Changes = {}) {
  const provider = await startIdentityProvider();
  const verify = createTokenVerifier({
    config: { ...provider.config, ...config },
    logger,
    askAgainAfterMs: 0,
    ...rest,
  });
  return { provider, verify };
}

describe('a token of the provider', () => {
  test('tells its customer, and nothing of an operator', async () => {
    const { provider, verify } = await start();
    expect(await verify(await provider.issue({ sub: 'ann' }))).toEqual({
      customerId: 'ann',
      operatorName: undefined,
      endsAtMs: expect.any(Number),
    });
  });

  test('may be one of several audiences', async () => {
    const { provider, verify } = await start();
    const token = await provider.issue({ sub: 'ann', aud: ['another', AUDIENCE] });
    expect(await verify(token)).toMatchObject({ customerId: 'ann' });
  });

  test('may come from a clock that is a few seconds ahead', async () => {
    const { provider, verify } = await start();
    expect(await verify(await provider.issue({ sub: 'ann', nbf: now() + 3 }))).toMatchObject({ customerId: 'ann' });
  });

  test.each([
    ['of another audience', { aud: 'https://another.example' }, {}, 'aud'],
    ['without an audience', { aud: undefined }, {}, 'aud'],
    ['of another issuer', { iss: 'https://evil.example/' }, {}, 'iss'],
    ['without an issuer', { iss: undefined }, {}, 'iss'],
    ['that has expired', {}, { endsIn: -60 }, 'expired'],
    ['that never ends', {}, { endsIn: null }, 'exp'],
    ['that is not valid yet', { nbf: now() + 60 }, {}, 'not valid yet'],
    ['that is 100 KB long', { padding: 'x'.repeat(100_000) }, {}, 'too long'],
    ['of a key that nobody knows', {}, { kid: 'key-0' }, 'does not have'],
  ])('is refused if it is one %s', async (_what, claims, options, why) => {
    const { provider, verify } = await start();
    const token = await provider.issue({ sub: 'ann', ...claims }, options);
    await expect(verify(token)).rejects.toMatchObject({ ...REFUSED, message: expect.stringContaining(why) });
  });

  test('is refused if it is not signed: alg none', async () => {
    const { provider, verify } = await start();
    const [, payload] = (await provider.issue({ sub: 'ann' })).split('.');
    for (const alg of ['none', 'None', 'NONE']) {
      const header = base64url.encode(JSON.stringify({ alg, typ: 'JWT', kid: 'key-1' }));
      await expect(verify(`${header}.${payload}.`)).rejects.toMatchObject(REFUSED);
    }
  });

  test('is refused if its claims were changed', async () => {
    const { provider, verify } = await start();
    const [header, , signature] = (await provider.issue({ sub: 'ann' })).split('.');
    const [, payload] = (await provider.issue({ sub: 'bob' })).split('.');
    await expect(verify(`${header}.${payload}.${signature}`)).rejects.toMatchObject(REFUSED);
  });

  test('is refused if another key signed it under the name of a known one', async () => {
    const { provider, verify } = await start();
    const { privateKey } = await newKey('key-1');
    await expect(verify(await provider.issue({ sub: 'ann' }, { key: privateKey }))).rejects.toMatchObject(REFUSED);
  });

  test('is refused if a key of another kind signed it', async () => {
    const { provider, verify } = await start();
    const rsa = await newKey('key-1', 'RS256');
    const token = await provider.issue({ sub: 'ann' }, { alg: 'RS256', key: rsa.privateKey });
    await expect(verify(token)).rejects.toMatchObject(REFUSED);
  });

  test('is refused if the public key was taken for a shared secret', async () => {
    const { provider, verify } = await start();
    const publicKey = (await importJWK(provider.publicJwk(), 'ES256')) as CryptoKey;
    for (const secret of [await exportSPKI(publicKey), JSON.stringify(provider.publicJwk())]) {
      const key = new TextEncoder().encode(secret);
      const token = await provider.issue({ sub: 'ann' }, { alg: 'HS256', key });
      await expect(verify(token)).rejects.toMatchObject(REFUSED);
    }
  });

  test('is refused with an algorithm that is not in the list', async () => {
    const { provider, verify } = await start({ config: { algorithms: ['RS256'] } });
    await expect(verify(await provider.issue({ sub: 'ann' }))).rejects.toMatchObject({
      ...REFUSED,
      message: expect.stringContaining('algorithm'),
    });
  });

  test.each(['', '.', '..', 'x', 'a.b.c', 'a.b.c.d.e', '{"alg":"none"}', `${'e'.repeat(5000)}.e.e`])(
    'is refused if it is no token at all: %j',
    async (text) => {
      const { verify } = await start();
      await expect(verify(text)).rejects.toMatchObject(REFUSED);
    },
  );

  test('never stands in the message of its refusal', async () => {
    const { provider, verify } = await start();
    const token = await provider.issue({ sub: 'ann' }, { endsIn: -60 });
    await expect(verify(token)).rejects.toMatchObject({ message: expect.not.stringContaining(token.slice(0, 20)) });
  });
});

describe('the customer of a token', () => {
  test('is in the claim of the settings', async () => {
    const { provider, verify } = await start({ config: { customerClaim: 'customer_id' } });
    expect(await verify(await provider.issue({ sub: 'auth0|1', customer_id: 'c-1' }))).toMatchObject({
      customerId: 'c-1',
    });
    expect(await verify(await provider.issue({ sub: 'auth0|1' }))).toMatchObject({ customerId: undefined });
  });

  test.each([[17], [['ann']], [''], ['x'.repeat(129)], ['ann\n'], [null]])('is nobody as %j', async (sub) => {
    const { provider, verify } = await start();
    expect(await verify(await provider.issue({ sub }))).toMatchObject({ customerId: undefined });
  });
});

describe("the operators' scope", () => {
  test.each([
    [{ scope: 'openid orders:operate' }],
    [{ scp: ['orders:operate'] }],
    [{ scp: 'orders:operate profile' }],
    [{ permissions: ['orders:read', 'orders:operate'] }],
  ])('is found in %j', async (claims) => {
    const { provider, verify } = await start();
    expect(await verify(await provider.issue({ sub: 'kim', ...claims }))).toMatchObject({ operatorName: 'kim' });
  });

  test.each([
    [{ scope: 'orders:operated' }],
    [{ scope: ['orders:operate2'] }],
    [{ roles: ['orders:operate'] }],
    [{ scope: { 'orders:operate': true } }],
    [{}],
  ])('is not found in %j', async (claims) => {
    const { provider, verify } = await start();
    expect(await verify(await provider.issue({ sub: 'kim', ...claims }))).toMatchObject({ operatorName: undefined });
  });

  test('makes no operator of a token without a name', async () => {
    const { provider, verify } = await start({ config: { operatorClaim: 'preferred_username' } });
    const scope = 'orders:operate';
    expect(await verify(await provider.issue({ sub: 'u-1', scope }))).toMatchObject({ operatorName: undefined });
    expect(await verify(await provider.issue({ sub: 'u-1', scope, preferred_username: 'kim' }))).toMatchObject({
      operatorName: 'kim',
    });
  });
});

describe("the provider's keys", () => {
  test('are fetched once for many tokens, and not before the first', async () => {
    const { provider, verify } = await start({ askAgainAfterMs: 60_000 });
    expect(provider.asked()).toBe(0);
    const token = await provider.issue({ sub: 'ann' });
    await Promise.all(Array.from({ length: 20 }, () => verify(token)));
    await verify(token);
    expect(provider.asked()).toBe(1);
  });

  test('are asked for again if a token has a new one, and the old one no longer counts', async () => {
    const { provider, verify } = await start();
    const old = await provider.issue({ sub: 'ann' });
    await verify(old);
    await provider.rotate('key-2', 'RS256');
    expect(await verify(await provider.issue({ sub: 'ann' }))).toMatchObject({ customerId: 'ann' });
    await expect(verify(old)).rejects.toMatchObject(REFUSED);
  });

  test('are not asked for with each token that names a key that nobody has', async () => {
    const { provider, verify } = await start({ askAgainAfterMs: 60_000 });
    await verify(await provider.issue({ sub: 'ann' }));
    const forged = await provider.issue({ sub: 'ann' }, { kid: 'made-up' });
    await Promise.allSettled(Array.from({ length: 20 }, () => verify(forged)));
    expect(provider.asked()).toBe(1);
  });

  test('go on while the provider is down, also when they are to be refreshed', async () => {
    const { provider, verify } = await start({ refreshAfterMs: 0 });
    const token = await provider.issue({ sub: 'ann' });
    await verify(token);
    provider.goAway();
    for (let round = 0; round < 5; round += 1) expect(await verify(token)).toMatchObject({ customerId: 'ann' });
    await vi.waitFor(() => expect(provider.asked()).toBeGreaterThan(1));
    expect(await verify(token)).toMatchObject({ customerId: 'ann' });
  });

  test('that the provider has withdrawn are forgotten with the next refresh', async () => {
    const { provider, verify } = await start({ refreshAfterMs: 0, askAgainAfterMs: 0 });
    const withdrawn = await provider.issue({ sub: 'ann' });
    await verify(withdrawn);
    await provider.rotate('key-2');
    await vi.waitFor(() => expect(verify(withdrawn)).rejects.toMatchObject(REFUSED));
  });

  test('that are not known while the provider is down are no reason to refuse the token for good', async () => {
    const { provider, verify } = await start();
    provider.goAway();
    const token = await provider.issue({ sub: 'ann' });
    await expect(verify(token)).rejects.toMatchObject(AWAY);
    provider.comeBack();
    expect(await verify(token)).toMatchObject({ customerId: 'ann' });
  });
});

describe('a token of a shared secret', () => {
  const [CURRENT, NEXT] = ['current-secret-of-32-characters-and-more', 'next-secret-of-32-characters-and-some-more'];

  async function sign(secret: string, alg = 'HS256'): Promise<string> {
    return new SignJWT({ sub: 'ann', iss: ISSUER, aud: AUDIENCE })
      .setProtectedHeader({ alg })
      .setExpirationTime('5m')
      .sign(new TextEncoder().encode(secret));
  }

  function verifier(secrets: readonly string[]) {
    const config = {
      keys: { secrets },
      issuer: ISSUER,
      audience: AUDIENCE,
      algorithms: ['HS256'],
      customerClaim: 'sub',
      operatorScope: 'orders:operate',
      operatorClaim: 'sub',
    };
    return createTokenVerifier({ config, logger });
  }

  test('is accepted with either secret while it is rotated, and with no other', async () => {
    const verify = verifier([NEXT, CURRENT]);
    expect(await verify(await sign(CURRENT))).toMatchObject({ customerId: 'ann' });
    expect(await verify(await sign(NEXT))).toMatchObject({ customerId: 'ann' });
    await expect(verify(await sign('another-secret-of-32-characters-or-so'))).rejects.toMatchObject(REFUSED);
    await expect(verifier([NEXT])(await sign(CURRENT))).rejects.toMatchObject(REFUSED);
  });

  test('is refused with another algorithm', async () => {
    await expect(verifier([CURRENT])(await sign(CURRENT, 'HS512'))).rejects.toMatchObject(REFUSED);
  });
});

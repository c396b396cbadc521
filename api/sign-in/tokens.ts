import { errors, type JWTPayload, jwtVerify, type JWTVerifyGetKey, type JWTVerifyOptions } from 'jose';
import type { Logger } from '../../platform/logger.ts';
import type { SignInConfig } from '../../platform/sign-in-config.ts';
import { ApiError } from '../errors.ts';
import { createProviderKeys, type ProviderKeysOptions } from './provider-keys.ts';

/** Clocks of two machines differ by a little. */
const CLOCK_TOLERANCE_SECONDS = 5;
/** Providers' tokens have one or two KB. Nobody has us decode more. */
const MAX_TOKEN_LENGTH = 8 * 1024;
/** What a name or a customer id may be, as a customerID of a request may. */
const PRINTABLE = /^[\x20-\x7e]{1,128}$/;

/** Whom a token belongs to: a customer, an operator (with the scope), both, or neither. */
export type Bearer = {
  /** Undefined if the token does not say. */
  readonly customerId: string | undefined;
  /** Undefined without the operators' scope. */
  readonly operatorName: string | undefined;
};

export type TokenVerifier = (token: string) => Promise<Bearer>;

type Options = Omit<ProviderKeysOptions, 'jwksUrl'> & { readonly config: SignInConfig; readonly logger: Logger };

/**
 * Makes what checks the tokens of customers and operators: signature, issuer, audience and times. It throws an ApiError:
 * 1004 for a token that does not count, 5001 if that can't be told while the provider is away.
 */
export function createTokenVerifier({ config, ...rest }: Options): TokenVerifier {
  const options: JWTVerifyOptions = {
    issuer: config.issuer,
    audience: config.audience,
    algorithms: [...config.algorithms],
    // A token that never ends could not be taken back.
    requiredClaims: ['exp'],
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
  };
  const verify = 'jwksUrl' in config.keys ? withProvider(config.keys.jwksUrl, rest) : withSecrets(config.keys.secrets);
  return async (token) => {
    if (token.length > MAX_TOKEN_LENGTH) throw tokenRefused('it is too long');
    return bearerOf(await verify(token, options), config);
  };
}

type Verify = (token: string, options: JWTVerifyOptions) => Promise<JWTPayload>;

function withProvider(jwksUrl: string, options: Omit<Options, 'config'>): Verify {
  const keys: JWTVerifyGetKey = createProviderKeys({ ...options, jwksUrl });
  return async (token, verifyOptions) => {
    try {
      return (await jwtVerify(token, keys, verifyOptions)).payload;
    } catch (error) {
      throw isTokensFault(error) ? tokenRefused(whyRefused(error), error) : providerAway(error);
    }
  };
}

function withSecrets(secrets: readonly string[]): Verify {
  const keys = secrets.map((secret) => new TextEncoder().encode(secret));
  return async (token, verifyOptions) => {
    let failure: unknown;
    for (const key of keys) {
      try {
        return (await jwtVerify(token, key, verifyOptions)).payload;
      } catch (error) {
        failure = error;
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) break;
      }
    }
    throw tokenRefused(whyRefused(failure), failure);
  };
}

/** Whether the token is to blame, and not the provider that should have told its keys. */
function isTokensFault(error: unknown): boolean {
  return (
    error instanceof errors.JOSEError &&
    !(error instanceof errors.JWKSTimeout) &&
    !(error instanceof errors.JWKSInvalid) &&
    // What jose throws for an answer of the provider that is no key set.
    error.code !== errors.JOSEError.code
  );
}

/** Says what helps to fix it, and nothing of what was expected: a stranger may ask too. */
function whyRefused(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'it has ended; get a new one';
  if (error instanceof errors.JWTClaimValidationFailed) {
    return error.claim === 'nbf' && error.reason === 'check_failed'
      ? 'it does not hold yet'
      : `its claim ${error.claim} is missing or not the right one`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return 'it is signed with an algorithm that is not accepted';
  if (error instanceof errors.JWKSNoMatchingKey) return 'it is signed with a key that the provider does not have';
  return 'its signature does not hold';
}

function tokenRefused(why: string, cause?: unknown): ApiError {
  return new ApiError('notSignedIn', `The bearer token is not accepted: ${why}`, { cause });
}

function providerAway(cause: unknown): ApiError {
  return new ApiError('unavailable', 'The token could not be checked, since its provider is away; try again soon', {
    cause,
  });
}

function bearerOf(claims: JWTPayload, config: SignInConfig): Bearer {
  const isOperator = scopesOf(claims).includes(config.operatorScope);
  // An operator is never without a name: what cannot be written down is not done.
  return {
    customerId: printable(claims[config.customerClaim]),
    operatorName: isOperator ? printable(claims[config.operatorClaim]) : undefined,
  };
}

/** Providers name scopes in three ways: `scope` is OAuth's, `scp` Okta's and Microsoft's, `permissions` Auth0's. */
function scopesOf({ scope, scp, permissions }: JWTPayload): string[] {
  return [scope, scp, permissions].flatMap((claim) => {
    if (typeof claim === 'string') return claim.split(' ');
    return Array.isArray(claim) ? claim.filter((entry) => typeof entry === 'string') : [];
  });
}

function printable(claim: unknown): string | undefined {
  return typeof claim === 'string' && PRINTABLE.test(claim) ? claim : undefined;
}

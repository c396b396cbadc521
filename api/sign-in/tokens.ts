import { errors, type JWTPayload, jwtVerify, type JWTVerifyGetKey, type JWTVerifyOptions } from 'jose';
import type { Logger } from '../../platform/logger.ts';
import type { SignInConfig } from '../../platform/sign-in-config.ts';
import { ApiError } from '../errors.ts';
import { createProviderKeys, type ProviderKeysOptions } from './provider-keys.ts';

/** For clocks that differ a little between two machines. */
const CLOCK_TOLERANCE_SECONDS = 5;
/** Providers' tokens have one or two KB; longer ones are not even decoded. */
const MAX_TOKEN_LENGTH = 8 * 1024;
/** Names and customer ids follow the rule for a request's customerID. */
const PRINTABLE = /^[\x20-\x7e]{1,128}$/;

/** Whom a token belongs to: a customer, an operator (with the scope), both, or neither. */
export type Bearer = {
  /** Undefined if the token has none. */
  readonly customerId: string | undefined;
  /** Undefined without the operators' scope. */
  readonly operatorName: string | undefined;
  /** When the token ends, in ms since 1970. */
  readonly endsAtMs: number;
};

export type TokenVerifier = (token: string) => Promise<Bearer>;

type Options = Omit<ProviderKeysOptions, 'jwksUrl'> & { readonly config: SignInConfig; readonly logger: Logger };

/**
 * Creates the function that verifies the tokens of customers and operators: signature, issuer, audience and times. It
 * throws ApiError 1004 if the token is not valid, 5001 if it can't be verified because the provider does not answer.
 */
export function createTokenVerifier({ config, ...rest }: Options): TokenVerifier {
  const options: JWTVerifyOptions = {
    issuer: config.issuer,
    audience: config.audience,
    algorithms: [...config.algorithms],
    // A token that never expires could not be revoked.
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

/** Whether the token is at fault, and not the provider's answer with its keys. */
function isTokensFault(error: unknown): boolean {
  return (
    error instanceof errors.JOSEError &&
    !(error instanceof errors.JWKSTimeout) &&
    !(error instanceof errors.JWKSInvalid) &&
    // jose throws a plain JOSEError for an answer that is not a key set.
    error.code !== errors.JOSEError.code
  );
}

/** Returns a reason that helps to fix the token, without revealing what was expected: anybody may ask. */
function whyRefused(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'it has expired; get a new one';
  if (error instanceof errors.JWTClaimValidationFailed) {
    return error.claim === 'nbf' && error.reason === 'check_failed'
      ? 'it is not valid yet'
      : `its claim ${error.claim} is missing or wrong`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return 'it is signed with an algorithm that is not accepted';
  if (error instanceof errors.JWKSNoMatchingKey) return 'it is signed with a key that the provider does not have';
  return 'its signature is not valid';
}

function tokenRefused(why: string, cause?: unknown): ApiError {
  return new ApiError('notSignedIn', `The bearer token is not valid: ${why}`, { cause });
}

function providerAway(cause: unknown): ApiError {
  return new ApiError(
    'unavailable',
    'The token could not be verified, since the identity provider does not answer; try again soon',
    {
      cause,
    },
  );
}

function bearerOf(claims: JWTPayload, config: SignInConfig): Bearer {
  const isOperator = scopesOf(claims).includes(config.operatorScope);
  // An operator needs a name: every change is recorded under it.
  return {
    customerId: printable(claims[config.customerClaim]),
    operatorName: isOperator ? printable(claims[config.operatorClaim]) : undefined,
    endsAtMs: (claims.exp ?? 0) * 1000,
  };
}

/** Providers use three claims for scopes: `scope` is OAuth's, `scp` Okta's and Microsoft's, `permissions` Auth0's. */
function scopesOf({ scope, scp, permissions }: JWTPayload): string[] {
  return [scope, scp, permissions].flatMap((claim) => {
    if (typeof claim === 'string') return claim.split(' ');
    return Array.isArray(claim) ? claim.filter((entry) => typeof entry === 'string') : [];
  });
}

function printable(claim: unknown): string | undefined {
  return typeof claim === 'string' && PRINTABLE.test(claim) ? claim : undefined;
}

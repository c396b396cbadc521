import { ConfigError } from './config-error.ts';
import type { Environment } from './environment.ts';

/** Signatures that a provider's public key checks, if no setting names others. */
const PROVIDER_ALGORITHMS: readonly string[] = ['RS256', 'PS256', 'ES256', 'EdDSA'];
const SHARED_SECRET_ALGORITHMS: readonly string[] = ['HS256'];

/** How tokens of customers and operators are checked. */
export type SignInConfig = {
  /** Where the provider publishes its keys, or the secret that is shared with it; two while it is being rotated. */
  readonly keys: { readonly jwksUrl: string } | { readonly secrets: readonly string[] };
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly string[];
  /** The claim that holds the customer's id. */
  readonly customerClaim: string;
  /** The scope that makes a token an operator's. */
  readonly operatorScope: string;
  /** The claim under which is written down what an operator does. */
  readonly operatorClaim: string;
};

/** How links to orders are signed. */
export type OrderLinkConfig = {
  /** The first one signs, all of them are accepted. */
  readonly secrets: readonly string[];
  readonly validSeconds: number;
};

/**
 * How the orders API signs people in; undefined if it believes whoever calls it.
 *
 * @throws ConfigError if something is missing or contradicts the rest
 */
export function signInConfig(env: Environment): SignInConfig | undefined {
  const { AUTH_JWKS_URL: jwksUrl, AUTH_SHARED_SECRET: secret, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = env;
  if (jwksUrl !== undefined && secret !== undefined) {
    throw new ConfigError('AUTH_SHARED_SECRET: set, and AUTH_JWKS_URL is too. Set one of them.');
  }
  if (jwksUrl === undefined && secret === undefined) {
    const lone = (['AUTH_ISSUER', 'AUTH_AUDIENCE', 'AUTH_ALGORITHMS'] as const).find((name) => env[name] !== undefined);
    if (lone === undefined) return undefined;
    // Half of the settings must not look like sign-in that is on.
    throw new ConfigError(`${lone}: set, but neither AUTH_JWKS_URL nor AUTH_SHARED_SECRET is. Set one of the two.`);
  }
  if (issuer === undefined || audience === undefined) {
    const missing = issuer === undefined ? 'AUTH_ISSUER' : 'AUTH_AUDIENCE';
    const given = jwksUrl === undefined ? 'AUTH_SHARED_SECRET' : 'AUTH_JWKS_URL';
    throw new ConfigError(
      `${missing}: not set, but ${given} is. Without it a token that was made for another application would be accepted.`,
    );
  }
  if (env.ORDER_LINK_SECRET === undefined) {
    throw new ConfigError(
      'ORDER_LINK_SECRET: not set, but sign-in is on, and links to payment pages are signed then. Set a random secret of 32 characters or more: `openssl rand -base64 48`.',
    );
  }
  const algorithms =
    env.AUTH_ALGORITHMS?.split(',') ?? (secret === undefined ? PROVIDER_ALGORITHMS : SHARED_SECRET_ALGORITHMS);
  const wrong = algorithms.find((algorithm) => algorithm.startsWith('HS') !== (secret !== undefined));
  if (wrong !== undefined) {
    throw new ConfigError(
      secret === undefined
        ? `AUTH_ALGORITHMS: ${wrong} is for a shared secret, and AUTH_JWKS_URL names public keys.`
        : `AUTH_ALGORITHMS: ${wrong} is for a provider's public keys; AUTH_SHARED_SECRET works with HS256, HS384 and HS512.`,
    );
  }
  return {
    keys: jwksUrl === undefined ? { secrets: splitSecrets(secret) } : { jwksUrl },
    issuer,
    audience,
    algorithms,
    customerClaim: env.AUTH_CUSTOMER_CLAIM,
    operatorScope: env.AUTH_OPERATOR_SCOPE,
    operatorClaim: env.AUTH_OPERATOR_CLAIM,
  };
}

/**
 * How links to orders are signed; undefined if they carry no token.
 *
 * @throws ConfigError if a link would end before its order may be paid, or its secret signs something else too
 */
export function orderLinkConfig(env: Environment): OrderLinkConfig | undefined {
  if (env.ORDER_LINK_SECRET === undefined) return undefined;
  if (env.ORDER_LINK_VALID_SECONDS < env.PAYMENT_WINDOW_SECONDS) {
    throw new ConfigError(
      `ORDER_LINK_VALID_SECONDS: ${env.ORDER_LINK_VALID_SECONDS} is less than PAYMENT_WINDOW_SECONDS (${env.PAYMENT_WINDOW_SECONDS}), so a link would end before its order may be paid.`,
    );
  }
  const secrets = splitSecrets(env.ORDER_LINK_SECRET);
  const others = new Set([...splitSecrets(env.AUTH_SHARED_SECRET), env.OPERATOR_TOKEN, env.ORDER_ID_SECRET]);
  if (secrets.some((secret) => others.has(secret))) {
    throw new ConfigError(
      'ORDER_LINK_SECRET: the same as another secret. Whoever knows one of them could then do what the other is for; make one of its own.',
    );
  }
  return { secrets, validSeconds: env.ORDER_LINK_VALID_SECONDS };
}

function splitSecrets(secrets: string | undefined): string[] {
  return secrets?.split(',') ?? [];
}

/**
 * Whoever can reach the orders API can order in any customer's name, unless somebody signs them in.
 *
 * @throws ConfigError in production, if neither the API nor a gateway does
 */
export function requireSignIn(config: {
  readonly production: boolean;
  readonly signIn: SignInConfig | undefined;
  readonly signInAtGateway: boolean;
}): void {
  if (!config.production || config.signIn !== undefined || config.signInAtGateway) return;
  throw new ConfigError(
    'AUTH_JWKS_URL: not set, and nobody signs customers in. In production set AUTH_JWKS_URL or AUTH_SHARED_SECRET, or AUTH_BY_GATEWAY=true if a gateway before this API does it. See "Who may call what" in docs/deployment.md.',
  );
}

import { resolve } from 'node:path';
import { loadConfig, parseEnvironment, processEnvironment } from '../../platform/config.ts';
import { PROJECT_FOLDER } from '../../platform/project.ts';

/** What the stack runs, and what it is told to leave to others. */
export type StackSettings = {
  readonly stateDir: string;
  readonly ports: {
    readonly postgres: number | undefined;
    readonly temporal: number;
    readonly temporalUi: number;
    readonly zipkin: number;
    readonly api: number;
    readonly webhook: number;
    readonly sandbox: number;
    readonly operations: { readonly workers: number; readonly api: number; readonly webhook: number };
  };
  readonly host: string;
  readonly namespace: string;
  readonly temporalCliPath: string | undefined;
  /** Given from outside, so that none of ours is started. */
  readonly external: {
    readonly databaseUrl: string | undefined;
    readonly temporalAddress: string | undefined;
    readonly stripe: boolean;
    readonly zipkinUrl: string | undefined;
    /** Traces go to an OpenTelemetry collector. */
    readonly collector: boolean;
    /** Operators have a way to sign in. */
    readonly operators: boolean;
  };
  readonly urls: { readonly api: string; readonly webhook: string; readonly sandbox: string };
  readonly shopPage: boolean;
  readonly shutdownGraceMs: number;
  /** The environment as it was found, for the children. */
  readonly environment: Readonly<Record<string, string | undefined>>;
};

/** With OPERATIONS_PORT set, the three processes take that port and the two after it. */
const OPERATIONS_PORTS = { workers: 8400, api: 8111, webhook: 8311 };

/** Each of these says where a Temporal server is. */
const TEMPORAL_SETTINGS = ['TEMPORAL_ADDRESS', 'TEMPORAL_PROFILE', 'TEMPORAL_CONFIG_FILE'] as const;

/** @throws ConfigError naming each variable that is wrong, and the fix */
export function loadStackSettings(environment = processEnvironment()): StackSettings {
  const { env, isGiven } = parseEnvironment(environment);
  // The sandbox is used on purpose here, which production asks to be told.
  const config = loadConfig({ ...environment, NODE_ENV: 'development' });
  const operations = env.OPERATIONS_PORT;
  const webhook = `http://127.0.0.1:${env.WEBHOOK_PORT}/webhook`;
  return {
    stateDir: resolve(PROJECT_FOLDER, env.STATE_DIR),
    ports: {
      postgres: env.POSTGRES_PORT,
      temporal: env.TEMPORAL_PORT,
      temporalUi: env.TEMPORAL_UI_PORT,
      zipkin: env.ZIPKIN_PORT,
      api: env.API_PORT,
      webhook: env.WEBHOOK_PORT,
      sandbox: env.STRIPE_SANDBOX_PORT,
      operations:
        operations === undefined
          ? OPERATIONS_PORTS
          : { workers: operations, api: operations + 1, webhook: operations + 2 },
    },
    host: env.HOST,
    namespace: env.TEMPORAL_NAMESPACE,
    temporalCliPath: env.TEMPORAL_CLI_PATH,
    external: {
      databaseUrl: isGiven('DATABASE_URL') ? env.DATABASE_URL : undefined,
      temporalAddress: TEMPORAL_SETTINGS.some(isGiven) ? config.temporal.connection.address : undefined,
      stripe: config.stripe.sandboxUrl === undefined || isGiven('STRIPE_SANDBOX_URL'),
      zipkinUrl: env.ZIPKIN_URL,
      collector: isGiven('OTEL_EXPORTER_OTLP_ENDPOINT') || isGiven('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'),
      operators: config.operatorToken !== undefined || config.signIn !== undefined,
    },
    urls: {
      api: isGiven('PUBLIC_URL') ? env.PUBLIC_URL : `http://127.0.0.1:${env.API_PORT}`,
      webhook: isGiven('STRIPE_SANDBOX_WEBHOOK_URL') ? env.STRIPE_SANDBOX_WEBHOOK_URL : webhook,
      sandbox: isGiven('STRIPE_SANDBOX_URL') ? env.STRIPE_SANDBOX_URL : `http://127.0.0.1:${env.STRIPE_SANDBOX_PORT}`,
    },
    shopPage: config.shopPage,
    shutdownGraceMs: env.SHUTDOWN_GRACE_SECONDS * 1000,
    environment,
  };
}

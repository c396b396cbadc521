import { isGrpcServiceError } from '@temporalio/client';
import { ApiError, isAway } from '../api/errors.ts';
import { ConfigError } from '../platform/config.ts';
import { TemporalRefusedError } from '../platform/temporal.ts';

/** What a command ends with; docs/operations.md tells scripts about them. */
export const exitCodes = {
  done: 0,
  fault: 1,
  usage: 2,
  notFound: 3,
  refused: 4,
  away: 5,
  problems: 6,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** A command can't do what it was asked for. The message says why and what to do; no stack trace is shown. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The API's stable codes that are about the order and not about us. */
const NO_SUCH_ORDER = 2000;
const UNAVAILABLE = 5001;

/** Turns whatever was thrown into what the person is told; undefined where it is a fault of ours. */
export function toCliError(error: unknown): CliError | undefined {
  if (error instanceof CliError) return error;
  if (error instanceof ConfigError || error instanceof TemporalRefusedError) {
    return new CliError(exitCodes.usage, error.message, { cause: error });
  }
  if (error instanceof ApiError) {
    const code = error.errorCode === NO_SUCH_ORDER ? exitCodes.notFound : exitCodes.refused;
    return new CliError(error.errorCode === UNAVAILABLE ? exitCodes.away : code, error.message, { cause: error });
  }
  if (isAway(error)) {
    return new CliError(exitCodes.away, `${awayOf(error)}. \`npm run cli -- doctor\` tells what is wrong.`, {
      cause: error,
    });
  }
  return undefined;
}

function awayOf(error: unknown): string {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (isGrpcServiceError(current)) return `Temporal does not answer (${current.details || current.message})`;
  }
  return `PostgreSQL or Temporal does not answer (${reasonOf(error)})`;
}

/** Node gives a refused connection as an AggregateError without a message, and fetch hides its reason in the cause. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  return error.message === 'fetch failed' && error.cause !== undefined ? reasonOf(error.cause) : error.message;
}

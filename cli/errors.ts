import { isGrpcServiceError } from '@temporalio/client';
import { ApiError, isAway } from '../api/errors.ts';
import { ConfigError } from '../platform/config.ts';
import { TemporalRefusedError } from '../platform/temporal.ts';

/** The exit codes of the commands, documented in docs/operations.md. */
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

/** A command can't do what was asked. The message says why and what to do; no stack trace is shown. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Turns whatever was thrown into an error for the operator; returns undefined if it is a bug. */
export function toCliError(error: unknown): CliError | undefined {
  if (error instanceof CliError) return error;
  if (error instanceof ConfigError || error instanceof TemporalRefusedError) {
    return new CliError(exitCodes.usage, error.message, { cause: error });
  }
  if (error instanceof ApiError) return ofUseCase(error);
  if (isAway(error)) {
    return new CliError(exitCodes.away, `${awayOf(error)}. \`npm run cli -- doctor\` shows what is wrong.`, {
      cause: error,
    });
  }
  return undefined;
}

/** Errors of the use cases that API and commands share, with what an operator can do next. */
function ofUseCase(error: ApiError): CliError {
  const { kind, message, data } = error;
  const [orderId, status] = [String(data?.['order_id']), String(data?.['status'])];
  const told = (exitCode: ExitCode, text: string) => new CliError(exitCode, text, { cause: error });
  switch (kind) {
    case 'noSuchOrder':
      return told(exitCodes.notFound, `${message}.`);
    case 'noSuchItem':
      return told(exitCodes.notFound, `${message}. \`npm run cli -- stock list\` shows all items.`);
    case 'invalidRequest':
      return told(exitCodes.usage, message);
    case 'unavailable':
      return told(exitCodes.away, message);
    case 'noWorkflow':
      return told(
        exitCodes.refused,
        `Order ${orderId} is ${status}, but no workflow runs for it. \`npm run cli -- doctor\` shows such orders, and \`doctor --repair\` recovers them.`,
      );
    case 'notCancellable': {
      if (status !== 'PAID' && status !== 'FINISHED') return told(exitCodes.refused, message);
      // The goods of a paid order are still here; those of a finished one have left.
      const restock = status === 'PAID' ? ' --restock' : '';
      return told(exitCodes.refused, `${message}. To refund it: npm run cli -- order refund ${orderId}${restock}`);
    }
    default:
      return told(exitCodes.refused, message);
  }
}

function awayOf(error: unknown): string {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (isGrpcServiceError(current)) return `Temporal does not answer (${current.details || current.message})`;
  }
  return `PostgreSQL or Temporal does not answer (${reasonOf(error)})`;
}

/**
 * Node reports a refused connection as an AggregateError without a message, and fetch hides its reason in the cause.
 */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  return error.message === 'fetch failed' && error.cause !== undefined ? reasonOf(error.cause) : error.message;
}

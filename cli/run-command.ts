import { stderr, stdout } from 'node:process';
import type { Context } from './context.ts';
import { createContext } from './context.ts';
import { type ExitCode, exitCodes, toCliError } from './errors.ts';
import { loadCliSettings } from './settings.ts';

/** The result of a command: `data` for programs, `text` for people. */
export type CommandResult = { readonly data: unknown; readonly text: string; readonly exitCode?: ExitCode };

/**
 * Runs a command with its context, prints the result, and closes the context.
 *
 * @param json whether to print the data instead of the text; failures are then JSON too, on standard error
 * @returns the exit code
 */
export async function runCommand(
  json: boolean,
  command: (context: Context) => Promise<CommandResult>,
): Promise<ExitCode> {
  let context: Context | undefined;
  try {
    context = createContext(loadCliSettings());
    const result = await command(context);
    stdout.write(json ? `${JSON.stringify(result.data, undefined, 2)}\n` : `${result.text}\n`);
    return result.exitCode ?? exitCodes.done;
  } catch (error) {
    return printFailure(error, json);
  } finally {
    await context?.close();
  }
}

/**
 * An error that the operator can fix is printed as a message; anything else is a bug, and comes with its stack trace.
 */
function printFailure(error: unknown, json: boolean): ExitCode {
  const known = toCliError(error);
  const exitCode = known?.exitCode ?? exitCodes.fault;
  const text = known?.message ?? (error instanceof Error ? (error.stack ?? error.message) : String(error));
  stderr.write(json ? `${JSON.stringify({ error: text, exitCode })}\n` : `${text}\n`);
  return exitCode;
}

import { stderr, stdout } from 'node:process';
import type { Context } from './context.ts';
import { createContext } from './context.ts';
import { type ExitCode, exitCodes, toCliError } from './errors.ts';
import { loadCliSettings } from './settings.ts';

/** What a command has to say: to programs, and to people. */
export type CommandResult = { readonly data: unknown; readonly text: string; readonly exitCode?: ExitCode };

/**
 * Runs a command with what it needs, prints what it gives, and closes all of it.
 *
 * @param json whether data are printed instead of text; failures are then JSON too, on the standard error
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

/** What a person can mend is said in words; anything else is a fault of ours and comes with its stack trace. */
function printFailure(error: unknown, json: boolean): ExitCode {
  const known = toCliError(error);
  const exitCode = known?.exitCode ?? exitCodes.fault;
  const text = known?.message ?? (error instanceof Error ? (error.stack ?? error.message) : String(error));
  stderr.write(json ? `${JSON.stringify({ error: text, exitCode })}\n` : `${text}\n`);
  return exitCode;
}

import process from 'node:process';
import { CommanderError } from 'commander';
import { createProgram, usageExitCode } from './program.ts';

const program = createProgram((code) => {
  process.exitCode = code;
});
try {
  await program.parseAsync();
} catch (error) {
  // Commander has already printed the help, or what is wrong.
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = usageExitCode(error);
}

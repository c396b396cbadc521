import process from 'node:process';
import { parseEnvironment, processEnvironment } from '../../platform/config.ts';
import { StackError } from '../stack/stack-error.ts';
import { findTemporalCli } from '../stack/temporal-cli.ts';
import { createTerminal } from '../stack/terminal.ts';

// Finds the Temporal server that `npm start` and the tests run, or installs it: for CI, and for whoever wants to wait now.
const terminal = createTerminal(process.stdout);
try {
  const { env } = parseEnvironment(processEnvironment());
  terminal.line(`Temporal: ${await findTemporalCli({ log: terminal, givenPath: env.TEMPORAL_CLI_PATH })}`);
} catch (error) {
  if (!(error instanceof StackError)) throw error;
  terminal.fail(error.message);
  process.exitCode = 1;
}

import process, { stderr, stdout } from 'node:process';
import { installSchemathesis } from './schemathesis.ts';

// For CI, and for whoever wants tests/fuzz.test.ts to run.
try {
  stdout.write(`schemathesis: ${await installSchemathesis()}\n`);
} catch (error) {
  stderr.write(`schemathesis could not be installed; the fuzz test is skipped. ${String(error)}\n`);
  process.exitCode = 1;
}

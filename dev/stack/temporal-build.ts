import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { processEnvironment } from '../../platform/config.ts';
import { programOnPath } from './programs.ts';
import { StackError, type Reporter } from './stack-error.ts';

/** The Go module that pins the Temporal CLI and, by go.sum, all that it is made of. */
export const TEMPORAL_MODULE_FOLDER = join(import.meta.dirname, 'temporal');

const PACKAGE = 'github.com/temporalio/cli/cmd/temporal';
const USUAL_TIME = 'once; usually 5 minutes on 2 cores';

export type MakeOptions = {
  readonly version: string;
  /** A folder that is removed afterwards. */
  readonly workFolder: string;
  readonly log: Pick<Reporter, 'progress'>;
  readonly signal: AbortSignal | undefined;
};

/**
 * Builds the `temporal` program with Go. `go install` refuses it, as its module has a `replace`; hence a module of
 * ours.
 *
 * @returns the path of the program
 * @throws StackError if there is no Go, or the build fails
 */
export async function buildTemporalCli({ version, workFolder, log, signal }: MakeOptions): Promise<string> {
  if (programOnPath('go') === undefined) {
    throw new StackError(
      'There is no Temporal server on this machine, and none can be downloaded. Do one of these: install the Temporal CLI ' +
        '(https://docs.temporal.io/cli) so that `temporal` is on the PATH; install Go 1.26 or newer, from which it is built; ' +
        'or set TEMPORAL_ADDRESS to a server of yours.',
    );
  }
  const startedAt = Date.now();
  log.progress(`Fetching the sources of Temporal ${version} (${USUAL_TIME} with the build)`);
  // Lists what is not in Go's build cache yet, and fetches the sources for that.
  const stale = await runGo(
    ['list', '-deps', '-trimpath', '-f', '{{if .Stale}}{{.ImportPath}}{{end}}', PACKAGE],
    signal,
  );
  const total = stale.filter((line) => line !== '').length;

  let compiled = 0;
  const tell = (): void => {
    const elapsedSeconds = Math.round((Date.now() - startedAt) / 1000);
    log.progress(
      `Building the Temporal server ${version} with Go (${USUAL_TIME}): ${Math.min(compiled, total)} of ${total} packages, ${elapsedSeconds} s`,
    );
  };
  tell();
  const timer = setInterval(tell, 2000);
  const program = join(workFolder, 'built');
  const flags = [`-s -w -X github.com/temporalio/cli/internal/temporalcli.Version=${version}`];
  try {
    await runGo(['build', '-v', '-trimpath', '-ldflags', ...flags, '-o', program, PACKAGE], signal, () => {
      compiled += 1;
    });
  } finally {
    clearInterval(timer);
  }
  return program;
}

/** Runs Go in our module, and returns what it printed. */
async function runGo(
  args: string[],
  signal: AbortSignal | undefined,
  onError?: (line: string) => void,
): Promise<string[]> {
  const child = spawn('go', args, {
    cwd: TEMPORAL_MODULE_FOLDER,
    // Without cgo the build needs no C compiler; all of it is Go, SQLite too.
    env: { ...processEnvironment(), CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-mod=readonly' },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal }),
  });
  const printed: string[] = [];
  const errors: string[] = [];
  createInterface(child.stdout).on('line', (line) => printed.push(line));
  createInterface(child.stderr).on('line', (line) => {
    errors.push(line);
    onError?.(line);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code === 0) return printed;
  throw new StackError(
    `The Temporal server could not be built: \`go ${args[0]}\` ended with ${code}. Install the Temporal CLI instead ` +
      `(https://docs.temporal.io/cli), or set TEMPORAL_ADDRESS to a server of yours. Its last lines:\n  ${errors.slice(-8).join('\n  ')}`,
  );
}

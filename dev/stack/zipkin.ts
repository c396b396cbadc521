import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LAYERS } from './infrastructure.ts';
import { checkUrl, managedProcess, type ManagedProcess, type ProcessEvents } from './managed-process.ts';
import { isPortFree } from './ports.ts';
import { cacheFolder, programOnPath } from './programs.ts';
import type { Reporter } from './stack-error.ts';
import type { StateFolder } from './state-folder.ts';

const VERSION = '3.5.1';
const ARTIFACT = `io.zipkin:zipkin-server:${VERSION}:jar:exec`;
const OLDEST_JAVA = 17;
const FETCH_TIMEOUT_MS = 10 * 60_000;
const READY_TIMEOUT_MS = 120_000;

const run = promisify(execFile);

export type Zipkin = {
  readonly url: string;
  /** Makes its process; the first time the program is fetched. Undefined if a Zipkin runs there already. */
  readonly create: ((signal: AbortSignal) => Promise<ManagedProcess>) | undefined;
};

/**
 * Finds out whether traces can be shown, before anything is started: orders never wait for Zipkin.
 *
 * @returns where Zipkin will be and how to start it, or why there is none and how to get one
 */
export async function planZipkin(
  port: number,
  state: StateFolder,
  log: Reporter,
  events: ProcessEvents,
): Promise<Zipkin | { readonly missing: string }> {
  const url = `http://127.0.0.1:${port}`;
  if (!(await isPortFree(port))) {
    return (await checkUrl(`${url}/health`)) === true
      ? { url, create: undefined }
      : { missing: `port ${port} is taken; set ZIPKIN_PORT to a free port` };
  }
  const java = await javaVersion();
  if (java === undefined || java < OLDEST_JAVA) return { missing: `it needs Java ${OLDEST_JAVA} or newer` };
  if (!existsSync(cachedJar()) && programOnPath('mvn') === undefined) return { missing: 'it is fetched with Maven' };
  return { url, create: (signal) => createZipkin({ port, state, log, events, signal }) };
}

async function createZipkin({
  port,
  state,
  log,
  events,
  signal,
}: {
  readonly port: number;
  readonly state: StateFolder;
  readonly log: Reporter;
  readonly events: ProcessEvents;
  readonly signal: AbortSignal;
}): Promise<ManagedProcess> {
  const jar = await fetchedJar(log, signal);
  return managedProcess(
    {
      name: 'Zipkin',
      command: programOnPath('java') ?? 'java',
      // Traces are kept in memory, the newest; a quarter of a gigabyte holds some ten thousand orders.
      args: ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-jar', jar, ...listenOn(port)],
      env: { HOME: state.path },
      stopSignal: 'SIGTERM',
      stopTimeoutMs: 10_000,
      layer: LAYERS.sandbox,
      checkReady: () => checkUrl(`http://127.0.0.1:${port}/health`),
      readyTimeoutMs: READY_TIMEOUT_MS,
    },
    state,
    events,
  );
}

/** On loopback alone; with QUERY_PORT it would listen to the whole network. */
function listenOn(port: number): string[] {
  return ['ip=127.0.0.1', `port=${port}`, 'protocols[0]=http'].map((setting) => `--armeria.ports[0].${setting}`);
}

function cachedJar(): string {
  return join(cacheFolder(), `zipkin-${VERSION}`, 'zipkin.jar');
}

/** The program from Maven Central, fetched once; renamed in one step, so that a broken fetch is never taken for it. */
async function fetchedJar(log: Reporter, signal: AbortSignal): Promise<string> {
  const jar = cachedJar();
  if (existsSync(jar)) return jar;
  log.progress(`Fetching Zipkin ${VERSION} with Maven (once; 130 MB)`);
  mkdirSync(join(jar, '..'), { recursive: true });
  const workFolder = mkdtempSync(join(jar, '..', 'fetching-'));
  try {
    const copy = ['dependency:copy', `-Dartifact=${ARTIFACT}`, `-DoutputDirectory=${workFolder}`];
    await run('mvn', ['--batch-mode', '--quiet', ...copy], { cwd: workFolder, timeout: FETCH_TIMEOUT_MS, signal });
    const fetched = readdirSync(workFolder).find((name) => name.endsWith('.jar'));
    if (fetched === undefined) throw new Error('Maven gave no file');
    renameSync(join(workFolder, fetched), jar);
    return jar;
  } finally {
    rmSync(workFolder, { recursive: true, force: true });
  }
}

async function javaVersion(): Promise<number | undefined> {
  try {
    const { stderr } = await run('java', ['-version'], { timeout: 10_000 });
    const major = /version "(?:1\.)?(?<major>\d+)/.exec(stderr)?.groups?.['major'];
    return major === undefined ? undefined : Number(major);
  } catch {
    return undefined;
  }
}

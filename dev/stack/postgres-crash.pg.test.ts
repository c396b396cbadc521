import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type PostgresPlace, postgresPlace, systemDataFolder } from './postgres-place.ts';
import { createPostgresServer, withClient } from './postgres.ts';
import { identify, isAlive } from './process-identity.ts';
import { openStateFolder, removeStateFolder, type StateFolder } from './state-folder.ts';

describe('PostgreSQL after a crash', () => {
  let folder: string;
  let state: StateFolder;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postgres-crash-'));
    ({ folder: state } = await openStateFolder(join(folder, 'state')));
  });
  afterAll(async () => {
    state.release();
    await removeStateFolder(state.path, [systemDataFolder(state.path)]);
    rmSync(folder, { recursive: true, force: true });
  });

  test('starts again though nobody has asked how the killed server ended', { timeout: 60_000 }, async () => {
    const options = { state, port: undefined, durable: false, layer: 0 };
    const crashed = await createPostgresServer(options);
    await crashed.start();
    const server = identify(crashed.pid() ?? 0);
    process.kill(server.pid, 'SIGKILL');
    await vi.waitFor(() => expect(isAlive(server)).toBe(false));

    const { data, user } = await postgresPlace(state);
    const { pid: zombie, parent } = await makeZombie(user);
    const lockFile = join(data, 'postmaster.pid');
    writeFileSync(lockFile, readFileSync(lockFile, 'utf8').replace(/^\d+/, String(zombie)));

    const again = await createPostgresServer(options);
    await again.start();
    await withClient(again.url('postgres'), (client) => client.query('SELECT 1'));
    await again.stop();
    parent.kill('SIGKILL');
  });
});

/** A process that has ended and still has its id, since its parent does not ask how it ended. */
async function makeZombie(user: PostgresPlace['user']): Promise<{ pid: number; parent: ChildProcess }> {
  const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 600'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    // PostgreSQL takes no notice of other users' processes.
    ...user,
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  await vi.waitFor(() => expect(isAlive(identify(pid))).toBe(false));
  expect(process.kill(pid, 0)).toBe(true);
  return { pid, parent };
}

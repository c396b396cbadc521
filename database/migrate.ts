import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';

const directory = fileURLToPath(new URL('migrations', import.meta.url));

/**
 * Brings the schema up to date; does nothing where it is. Several processes may call it at once: the first one
 * migrates, the others wait for it.
 *
 * @returns the names of the migrations that were applied now
 */
export async function migrate(databaseUrl: string): Promise<string[]> {
  const applied = await runner({
    databaseUrl,
    dir: directory,
    direction: 'up',
    migrationsTable: 'schema_migrations',
    // Waits for another process's migration instead of failing beside it.
    advisoryLockMode: 'wait',
    log: () => {},
  });
  return applied.map(({ name }) => name);
}

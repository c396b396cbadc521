import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';

const directory = fileURLToPath(new URL('migrations', import.meta.url));

/** PostgreSQL's error code for RAISE EXCEPTION. */
const RAISED_BY_A_MIGRATION = 'P0001';

/**
 * The database can't be reached or brought up to date. The message names it and says why; its password is not in it.
 */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/**
 * Brings the schema up to date. Several processes may call it at once: the first one migrates, the others wait for it.
 *
 * @returns the names of the migrations that were applied now; empty if the schema was up to date
 * @throws MigrationError if the database can't be reached, or a migration fails
 */
export async function migrate(databaseUrl: string): Promise<string[]> {
  try {
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
  } catch (error) {
    const { host, pathname } = new URL(databaseUrl);
    // A migration that refuses existing rows says what to do; any other error may mean the wrong database.
    const advice = (error as { code?: unknown }).code === RAISED_BY_A_MIGRATION ? '' : ' Check DATABASE_URL.';
    throw new MigrationError(
      `Database ${pathname.slice(1)} at ${host} can't be brought up to date: ${reasonOf(error)}.${advice}`,
      { cause: error },
    );
  }
}

/** Node reports a refused connection as an AggregateError without a message. */
function reasonOf(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return first instanceof Error ? first.message : String(first);
}

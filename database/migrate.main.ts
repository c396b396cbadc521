import process from 'node:process';
import { parseEnvironment, processEnvironment } from '../platform/config.ts';
import { migrate } from './migrate.ts';

/** Brings the database's schema up to date and ends; to be run before the other processes of a new version start. */
try {
  const { env } = parseEnvironment(processEnvironment());
  process.stdout.write(`${await migrateDatabase(env.DATABASE_URL)}\n`);
} catch (error) {
  process.stderr.write(`migrate: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function migrateDatabase(url: string): Promise<string> {
  const { host, pathname } = new URL(url);
  const database = `Database ${pathname.slice(1)} at ${host}`;
  try {
    const applied = await migrate(url);
    return applied.length === 0 ? `${database} is up to date.` : `${database}: applied ${applied.join(', ')}.`;
  } catch (error) {
    throw new Error(`${database} can't be migrated: ${reasonOf(error)}. Check DATABASE_URL.`, { cause: error });
  }
}

/** Node gives a refused connection as an AggregateError without a message. */
function reasonOf(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return first instanceof Error ? first.message : String(first);
}

import process from 'node:process';
import { ConfigError, parseEnvironment, processEnvironment } from '../platform/config.ts';
import { migrate } from './migrate.ts';

/** Brings the database's schema up to date, and ends: to be run before the other processes of a new version start. */
try {
  const { env } = parseEnvironment(processEnvironment());
  const { host, pathname } = new URL(env.DATABASE_URL);
  try {
    const applied = await migrate(env.DATABASE_URL);
    process.stdout.write(`Database ${pathname.slice(1)} at ${host}: ${describe(applied)}\n`);
  } catch (error) {
    throw new Error(`DATABASE_URL: database ${pathname.slice(1)} at ${host} can't be migrated: ${reasonOf(error)}`, {
      cause: error,
    });
  }
} catch (error) {
  process.stderr.write(`migrate: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

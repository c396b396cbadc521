import process from 'node:process';
import { ConfigError, parseEnvironment, processEnvironment } from '../platform/config.ts';
import { migrate, MigrationError } from './migrate.ts';

/** Brings the database's schema up to date and ends; to be run before the other processes of a new version start. */
try {
  const { env } = parseEnvironment(processEnvironment());
  const applied = await migrate(env.DATABASE_URL);
  process.stdout.write(
    applied.length === 0 ? 'The database is up to date.\n' : `The database has got ${applied.join(', ')}.\n`,
  );
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof MigrationError)) throw error;
  process.stderr.write(`migrate: ${error.message}\n`);
  process.exitCode = 1;
}

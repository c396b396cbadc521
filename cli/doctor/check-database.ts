import { listPendingMigrations } from '../../database/pending-migrations.ts';
import type { Context } from '../context.ts';
import { attempt, type Finding, ok, problem } from './finding.ts';

const ABOUT = 'PostgreSQL';

/** Checks that PostgreSQL answers, and that its schema is up to date. */
export async function checkDatabase({ database, settings }: Context): Promise<readonly Finding[]> {
  const { hostname, port, pathname } = new URL(settings.config.database.url);
  const where = `${hostname}:${port === '' ? '5432' : port}${pathname}`;
  const fix = `Start it (\`npm start\` brings its own), or set DATABASE_URL. Its configured address is ${where}.`;
  return attempt(ABOUT, fix, async () => {
    const pending = await listPendingMigrations(database);
    if (pending.length === 0) return [ok(ABOUT, `answers at ${where}, and its schema is up to date`)];
    return [
      problem(
        ABOUT,
        `is missing the migrations ${pending.join(', ')}`,
        'Run database/migrate.main.ts before the other processes; `npm start` does so itself.',
      ),
    ];
  });
}

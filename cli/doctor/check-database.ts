import { listPendingMigrations } from '../../database/pending-migrations.ts';
import type { Context } from '../context.ts';
import { attempt, type Finding, ok, problem } from './finding.ts';

const ABOUT = 'PostgreSQL';

/** PostgreSQL answers, and its schema is this version's. */
export async function checkDatabase({ database, settings }: Context): Promise<readonly Finding[]> {
  const { hostname, port, pathname } = new URL(settings.config.database.url);
  const where = `${hostname}:${port === '' ? '5432' : port}${pathname}`;
  const mend = `Start it (\`npm start\` brings its own), or set DATABASE_URL. It was looked for at ${where}.`;
  return attempt(ABOUT, mend, async () => {
    const pending = await listPendingMigrations(database);
    if (pending.length === 0) return [ok(ABOUT, `answers at ${where}, and its schema is up to date`)];
    return [
      problem(
        ABOUT,
        `lacks the migrations ${pending.join(', ')}`,
        'Run database/migrate.main.ts before the other processes; `npm start` does it by itself.',
      ),
    ];
  });
}

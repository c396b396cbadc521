import { readdir } from 'node:fs/promises';
import type { Database } from './database.ts';

const directory = new URL('migrations/', import.meta.url);

/** Returns the migrations of this version that the database lacks, in the order in which they are to run. */
export async function listPendingMigrations(database: Database): Promise<string[]> {
  const files = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  const applied = await listAppliedMigrations(database);
  return files.map((name) => name.slice(0, -'.sql'.length)).filter((name) => !applied.has(name));
}

async function listAppliedMigrations(database: Database): Promise<Set<string>> {
  const exists = await database.query<{ exists: boolean }>({
    name: 'schema-migrations.exists',
    text: "SELECT to_regclass('schema_migrations') IS NOT NULL AS exists",
  });
  if (exists.rows[0]?.exists !== true) return new Set();
  const applied = await database.query<{ name: string }>({
    name: 'schema-migrations.list',
    text: 'SELECT name FROM schema_migrations',
  });
  return new Set(applied.rows.map(({ name }) => name));
}

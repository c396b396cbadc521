import { randomBytes } from 'node:crypto';
import { escapeIdentifier } from 'pg';
import { withClient } from './postgres.ts';

export type TestDatabase = {
  readonly url: string;
  /** Ends all connections to it and drops it. */
  readonly drop: () => Promise<void>;
};

/**
 * A database of its own for a test, with all migrations run: a copy of one that the global setup migrated once.
 *
 * @param adminUrl `inject('databaseUrl')`
 */
export async function createTestDatabase(adminUrl: string, template = MIGRATED_TEMPLATE): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await withClient(adminUrl, (client) =>
    client.query(`CREATE DATABASE ${name} TEMPLATE ${escapeIdentifier(template)}`),
  );
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: async () => {
      await withClient(adminUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}

/** The database that the global setup migrates. Nothing connects to it later: PostgreSQL copies none that is in use. */
export const MIGRATED_TEMPLATE = 'migrated';

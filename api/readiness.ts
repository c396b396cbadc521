import { checkDatabase, type Database } from '../database/database.ts';
import type { ReadinessChecks } from '../platform/operations-server.ts';
import { checkTemporal, type TemporalConnection } from '../platform/temporal.ts';

/** What API and webhook receiver need to do their work. */
export function readinessChecks(
  connection: TemporalConnection,
  namespace: string,
  database: Database,
): ReadinessChecks {
  return {
    database: () => checkDatabase(database),
    temporal: () => checkTemporal(connection, namespace),
  };
}

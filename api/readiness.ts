import { checkDatabase, type Database } from '../database/database.ts';
import type { ReadinessChecks } from '../platform/operations-server.ts';
import { checkTemporal, type TemporalConnection } from '../platform/temporal.ts';

/**
 * What API and webhook receiver need to do their work.
 *
 * @param connection gives the connection to Temporal, once there is one
 */
export function readinessChecks(
  connection: () => TemporalConnection | undefined,
  namespace: string,
  database: Database,
): ReadinessChecks {
  return {
    database: () => checkDatabase(database),
    temporal: async () => {
      const connected = connection();
      if (connected === undefined) throw new Error('not connected yet');
      await checkTemporal(connected, namespace);
    },
  };
}

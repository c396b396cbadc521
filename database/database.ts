import { type ClientBase, DatabaseError, Pool, types } from 'pg';
import type { Logger } from '../platform/logger.ts';
import { traceStatements } from '../platform/sql-tracing.ts';

/** A pool of connections to PostgreSQL. Statements are named functions beside this file; nothing else sends SQL. */
export type Database = Pool;

/** What a statement runs on: the pool, or the connection of a transaction. */
export type Queryable = Pick<ClientBase, 'query'>;

type DatabaseOptions = {
  readonly url: string;
  /** The maximum number of connections. */
  readonly poolSize: number;
  /** Shows in pg_stat_activity. */
  readonly name: string;
  /** Logs connections that break while idle; the pool replaces them by itself. */
  readonly logger?: Pick<Logger, 'warn'>;
};

/** A connection or statement that takes longer than this counts as lost; activities retry it. */
const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 8_000;
/** So that a worker that is lost in the middle of a transaction does not keep items locked for everybody else. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000;

// bigint columns hold minor units, times in ms and counters, which all stay below 2^53.
types.setTypeParser(types.builtins.INT8, Number);

/** Opens nothing yet: the pool connects with the first statement. End it with `database.end()`. */
export function createDatabase({ url, poolSize, name, logger }: DatabaseOptions): Database {
  const pool = new Pool({
    connectionString: url,
    max: poolSize,
    application_name: name,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    // The server gives up first; the client's own limit is for a server that no longer answers.
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS + 2_000,
    keepAlive: true,
  });
  pool.on('error', (err) => {
    logger?.warn({ err }, 'A connection to PostgreSQL broke; the next statement opens another');
  });
  traceStatements(pool);
  return pool;
}

/**
 * Runs statements in one transaction on one connection; rolls back if `run` throws. A connection that cannot even
 * roll back is discarded, since its state is unknown; PostgreSQL then rolls back by itself.
 */
export async function inTransaction<T>(database: Database, run: (connection: Queryable) => Promise<T>): Promise<T> {
  const connection = await database.connect();
  let broken = false;
  // The pool listens to idle connections alone, and an error that nobody listens to ends the process. Statements
  // that are running on a connection that breaks fail by themselves.
  const onError = () => {
    broken = true;
  };
  connection.on('error', onError);
  try {
    await connection.query('BEGIN');
    const result = await run(connection);
    await connection.query('COMMIT');
    return result;
  } catch (error) {
    await connection.query('ROLLBACK').catch(() => {
      broken = true;
    });
    throw error;
  } finally {
    connection.off('error', onError);
    connection.release(broken);
  }
}

/** Whether a statement failed because a row that it inserts already exists, by this constraint. */
export function isDuplicate(error: unknown, constraint: string): boolean {
  return error instanceof DatabaseError && error.code === '23505' && error.constraint === constraint;
}

/** Throws if the database can't be used: the readiness check. */
export async function checkDatabase(database: Database): Promise<void> {
  await database.query('SELECT 1 FROM orders LIMIT 1');
}

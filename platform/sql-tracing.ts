import type { ClientBase, Pool } from 'pg';
import { withSqlSpan } from './spans.ts';

type Query = (statement: unknown, ...rest: unknown[]) => unknown;

/**
 * Makes each named statement of a pool, and the end of each transaction, a span of the trace that it runs in. A span of
 * the pool includes the wait for a connection.
 */
export function traceStatements(pool: Pool): void {
  traceQueries(pool);
  pool.on('connect', traceQueries);
}

function traceQueries(target: Pool | ClientBase): void {
  const query = target.query.bind(target) as Query;
  target.query = ((statement: unknown, ...rest: unknown[]) => {
    const name = nameOf(statement);
    // With a callback it is the pool's own call for a statement that has its span already.
    return name === undefined || typeof rest.at(-1) === 'function'
      ? query(statement, ...rest)
      : withSqlSpan(name, async () => query(statement, ...rest));
  }) as typeof target.query;
}

function nameOf(statement: unknown): string | undefined {
  if (statement === 'COMMIT' || statement === 'ROLLBACK') {
    return statement;
  }
  const name: unknown = typeof statement === 'object' && statement !== null && Reflect.get(statement, 'name');
  return typeof name === 'string' ? name : undefined;
}

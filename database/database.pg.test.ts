import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createTestDatabase } from '../dev/stack/test-database.ts';
import { createDatabase, inTransaction, type Queryable } from './database.ts';

async function open() {
  const { url, drop } = await createTestDatabase(inject('databaseUrl'));
  // One connection, so that a broken one that is used again would show.
  const database = createDatabase({ url, poolSize: 1, name: 'broken' });
  const other = createDatabase({ url, poolSize: 1, name: 'other' });
  onTestFinished(async () => {
    await database.end();
    await other.end();
    await drop();
  });
  const terminate = async (connection: Queryable) => {
    const { rows } = await connection.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await other.query('SELECT pg_terminate_backend($1, 5000)', [rows[0]?.pid]);
  };
  return { database, terminate };
}

/*
 * An error event that nobody listens to ends the process, and vitest fails a run in which one is emitted.
 */
test.each([
  ['between two statements', async () => {}],
  ['while something else is waited for', async () => sleep(100)],
])('a connection that is lost inside a transaction, %s, fails it alone', async (_when, wait) => {
  const { database, terminate } = await open();
  const losing = inTransaction(database, async (connection) => {
    await terminate(connection);
    await wait();
    await connection.query('SELECT 1');
  });
  await expect(losing).rejects.toThrow(/terminating connection|Connection terminated|not queryable/);
  const { rows } = await inTransaction(database, (connection) => connection.query('SELECT 1 AS one'));
  expect(rows).toEqual([{ one: 1 }]);
});

test('a connection that is lost while it is idle is replaced', async () => {
  const { database, terminate } = await open();
  await terminate(database);
  await sleep(100);
  expect((await database.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
});

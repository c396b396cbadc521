import { afterEach, describe, expect, inject, test } from 'vitest';
import { withClient } from './postgres.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

const databases: TestDatabase[] = [];

async function testDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase(inject('databaseUrl'));
  databases.push(database);
  return database;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((database) => database.drop()));
});

describe('a test database', () => {
  test('has all migrations and is no other test’s', async () => {
    const [one, other] = await Promise.all([testDatabase(), testDatabase()]);
    const prices = 'SELECT count(*)::int AS items FROM items';
    await withClient(one.url, (client) => client.query('CREATE TABLE mine ()'));
    expect((await withClient(one.url, (client) => client.query(prices))).rows).toEqual([{ items: 2 }]);
    await expect(withClient(other.url, (client) => client.query('SELECT FROM mine'))).rejects.toThrow(/does not exist/);
  });

  test('is gone after its drop, also while something is connected to it', async () => {
    const database = await testDatabase();
    await withClient(database.url, async (client) => {
      await database.drop();
      await expect(client.query('SELECT 1')).rejects.toThrow(/not queryable|terminat/);
    });
    await expect(withClient(database.url, (client) => client.query('SELECT 1'))).rejects.toThrow(/does not exist/);
  });
});

import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../dev/stack/test-database.ts';
import { type Balance, type Difference, EMPTY_BALANCE, FIRST_POSITION } from '../domain/books.ts';
import { createDatabase, type Database } from './database.ts';
import { insertOrder } from './orders.ts';
import {
  type BookLook,
  findLastReconciliation,
  listUnsettledPayments,
  markDifferencesTold,
  openReconciliationOf,
  readBooksState,
  recordBookLook,
} from './reconciliations.ts';

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase(inject('databaseUrl'));
  database = createDatabase({ url: testDatabase.url, poolSize: 4, name: 'test' });
});
afterAll(async () => {
  await database.end();
  await testDatabase.drop();
});
beforeEach(async () => {
  await database.query('TRUNCATE reconciliations, unsettled_payments, orders CASCADE');
});

const HOUR_MS = 3_600_000;
const NOTHING = { chargedMinor: 0, refundedMinor: 0, lostMinor: 0, keptMinor: 0 };
const difference = (paymentIntentId: string, keptMinor = 100): Difference => ({
  paymentIntentId,
  orderId: '68ce52f4cdbf4a483de63446',
  status: 'FINISHED',
  currency: 'USD',
  atStripe: { ...NOTHING, chargedMinor: 100, keptMinor },
  here: NOTHING,
  untold: [],
});
const look = (found: Partial<BookLook>): BookLook => ({
  differences: [],
  uncounted: [],
  undecided: [],
  settled: [],
  isPartial: false,
  ...found,
});
const all = (filter = {}) => listUnsettledPayments(database, { after: null, limit: 100, ...filter });

/** Records a look in the run that is under way, which then is done. */
async function record(found: Partial<BookLook>, balance: Balance = EMPTY_BALANCE) {
  const { reconciliationId } = await openReconciliationOf(database);
  return recordBookLook(database, { reconciliationId, look: look(found), balance, next: () => undefined });
}

test('the first reconciliation looks back to the first order, and a month at least', async () => {
  const monthAgo = Date.now() - 30 * 24 * HOUR_MS;
  const empty = await openReconciliationOf(database);
  expect(empty).toMatchObject({ position: FIRST_POSITION, balance: EMPTY_BALANCE });
  expect(Math.abs(empty.lookedFromMs - monthAgo)).toBeLessThan(60_000);
  await database.query('DELETE FROM reconciliations');
  const orderId = '68ce52f4cdbf4a483de63446';
  const lines = [{ itemId: 'pencil', name: 'Pencil', quantity: 1, unitAmountMinor: 100, currency: 'USD' }];
  const order = { orderId, customerId: 'c', runId: 'r', requestHash: 'h', traceId: 't', lines, detail: 'Made.' };
  await insertOrder(database, order);
  await database.query("UPDATE orders SET created_at = '2026-01-01T00:00:00Z'");
  expect((await openReconciliationOf(database)).lookedFromMs).toBe(Date.parse('2026-01-01T00:00:00Z'));
});

test('the next one looks back an hour further than the last complete one began', async () => {
  const first = await openReconciliationOf(database);
  await record({});
  const second = await openReconciliationOf(database);
  expect(second.reconciliationId).not.toBe(first.reconciliationId);
  expect(Math.abs(second.lookedFromMs - (first.startedAtMs - HOUR_MS))).toBeLessThanOrEqual(1);
});

test('one that was broken off is gone on with where it was, with its sums', async () => {
  const { reconciliationId, startedAtMs } = await openReconciliationOf(database);
  const position = { list: 'refunds', after: 're_1', looks: 0 } as const;
  const balance = { ...EMPTY_BALANCE, charges: 7 };
  await recordBookLook(database, { reconciliationId, look: look({}), balance, next: () => position });
  const goesOn = await openReconciliationOf(database);
  expect(goesOn).toMatchObject({ reconciliationId, startedAtMs, position, balance });
  expect(await findLastReconciliation(database), 'it is not complete').toBeUndefined();
});

test('an operator who wants to look further back begins anew', async () => {
  const { reconciliationId, lookedFromMs } = await openReconciliationOf(database);
  const next = () => ({ list: 'refunds', after: null, looks: 0 }) as const;
  await recordBookLook(database, { reconciliationId, look: look({}), balance: EMPTY_BALANCE, next });
  const further = Date.parse('2025-01-01T00:00:00Z');
  expect(await openReconciliationOf(database, further)).toMatchObject({
    lookedFromMs: further,
    position: FIRST_POSITION,
  });
  const nearer = await openReconciliationOf(database, lookedFromMs);
  expect(nearer.lookedFromMs, 'what is not looked at yet is not left out').toBe(further);
});

test('two that begin at once are one', async () => {
  const runs = await Promise.all(Array.from({ length: 4 }, () => openReconciliationOf(database)));
  expect(new Set(runs.map(({ reconciliationId }) => reconciliationId)).size).toBe(1);
});

test('what is recorded twice is recorded once', async () => {
  const { reconciliationId } = await openReconciliationOf(database);
  const balance = { ...EMPTY_BALANCE, charges: 3 };
  const found = { reconciliationId, look: look({ differences: [difference('pi_1')] }), balance, next: () => undefined };
  expect(await recordBookLook(database, found)).toEqual({ differing: 1 });
  expect(await recordBookLook(database, found)).toEqual({ differing: 1 });
  expect(await findLastReconciliation(database)).toMatchObject({
    differing: 1,
    balance: { charges: 3 },
    differences: [difference('pi_1')],
  });
});

test('payments that differ or are undecided stay until a whole look settles them', async () => {
  await record({ differences: [difference('pi_1')], undecided: ['pi_2'] });
  const before = Date.now() + 1000;
  expect(await all({ lookedBeforeMs: before })).toHaveLength(2);
  expect(await all({ differing: true })).toEqual([{ paymentIntentId: 'pi_1', isUncounted: false }]);
  expect(await all({ after: 'pi_1' })).toMatchObject([{ paymentIntentId: 'pi_2' }]);
  await record({ undecided: ['pi_1'], isPartial: true });
  expect(await all({ differing: true }), 'a list that finds nothing wrong').toHaveLength(1);
  await record({ undecided: ['pi_1'], settled: ['pi_2'] });
  expect(await all({ differing: true })).toEqual([]);
  expect(await all()).toMatchObject([{ paymentIntentId: 'pi_1' }]);
});

test('what the sums lack is remembered until a whole look has counted it', async () => {
  await record({ differences: [difference('pi_1')], uncounted: ['pi_1'], isPartial: true });
  await record({ differences: [difference('pi_1', 60)], isPartial: true });
  expect(await all()).toEqual([{ paymentIntentId: 'pi_1', isUncounted: true }]);
  await record({ differences: [difference('pi_1', 60)] });
  expect(await all()).toEqual([{ paymentIntentId: 'pi_1', isUncounted: false }]);
});

test('a person is told of a difference once, and again when it changes', async () => {
  await record({ differences: [difference('pi_1'), difference('pi_2')] });
  expect(await markDifferencesTold(database, ['pi_1'])).toEqual([difference('pi_1')]);
  await record({ differences: [difference('pi_1'), difference('pi_2')] });
  expect(await markDifferencesTold(database, ['pi_1', 'pi_2'])).toEqual([difference('pi_2')]);
  await record({ differences: [difference('pi_1', 60)] });
  expect(await markDifferencesTold(database, ['pi_1'])).toEqual([difference('pi_1', 60)]);
});

test('the state of the books tells what differs and how old the last comparison is', async () => {
  expect(await readBooksState(database)).toEqual({ differing: 0, lastCompleteAgeSeconds: null });
  await record({ differences: [difference('pi_1')], undecided: ['pi_2'] });
  await database.query("UPDATE reconciliations SET started_at = started_at - interval '2 hours'");
  const { differing, lastCompleteAgeSeconds } = await readBooksState(database);
  expect(differing).toBe(1);
  expect(Math.round(Number(lastCompleteAgeSeconds) / 60)).toBe(120);
});

import { z } from 'zod';
import { orderStatuses } from '../domain/order-status.ts';
import { type Database, inTransaction } from './database.ts';

const feedEvent = z.object({
  eventId: z.number(),
  at: z.date(),
  orderId: z.string(),
  customerId: z.string(),
  status: z.enum(orderStatuses),
  seq: z.number(),
  event: z.string(),
  detail: z.string(),
  data: z.record(z.string(), z.unknown()),
});

/** An entry of an order's timeline, with its place in the feed of all entries. */
export type FeedEvent = z.infer<typeof feedEvent>;

type Place = { readonly after: number; readonly limit: number };

/**
 * Lists entries of all timelines: each once, in one order that never changes, numbered without gaps. An order's own
 * entries come in the order of its timeline.
 *
 * Entries get their numbers here, not when they are written. A number assigned within the writer's transaction would
 * either make all writers wait for each other until they have committed, or become visible after a higher number that
 * readers have already passed. So readers number what is committed, one reader at a time, and writers are not affected.
 *
 * @param place lists the events after the number `after`, 0 for the first, and at most `limit`
 */
export async function listEvents(database: Database, place: Place): Promise<FeedEvent[]> {
  const known = await readEvents(database, place);
  // A reader that is far behind gets what is numbered; only at the end of that may there be more.
  if (known.length === place.limit || !(await hasNewEntries(database))) return known;
  await numberNewEntries(database);
  return readEvents(database, place);
}

async function readEvents(database: Database, { after, limit }: Place): Promise<FeedEvent[]> {
  const listed = await database.query({
    name: 'events.list',
    text: `
      SELECT t.event_id AS "eventId", t.at, t.order_id AS "orderId", o.customer_id AS "customerId", t.status, t.seq,
        t.event, t.detail, t.data
      FROM order_timeline t JOIN orders o USING (order_id)
      WHERE t.event_id > $1
      ORDER BY t.event_id
      LIMIT $2`,
    values: [after, limit],
  });
  return feedEvent.array().parse(listed.rows);
}

async function hasNewEntries(database: Database): Promise<boolean> {
  const found = await database.query<{ exists: boolean }>({
    name: 'events.has-new',
    text: 'SELECT EXISTS (SELECT FROM order_timeline WHERE event_id IS NULL) AS exists',
  });
  return found.rows[0]?.exists === true;
}

/** An arbitrary number, the same for all readers, and used for nothing else. */
export const NUMBERING_LOCK = 7_301_010;
/** So that a reader that comes after a long time does not wait until all of it is numbered. */
const MAX_NUMBERED = 5_000;

async function numberNewEntries(database: Database): Promise<void> {
  await inTransaction(database, async (connection) => {
    // A statement of its own: the next one starts once the lock is held, and sees what other readers have numbered.
    await connection.query({
      name: 'events.lock-numbering',
      text: 'SELECT pg_advisory_xact_lock($1)',
      values: [NUMBERING_LOCK],
    });
    await connection.query({
      name: 'events.number',
      // An order's entries are committed one after the other, so those that are visible have no gap. Their times come
      // from clocks that may be set back, so the order is that of the timeline.
      text: `
        WITH last AS (
          SELECT COALESCE(max(event_id), 0) AS event_id FROM order_timeline
        ), entries AS (
          SELECT order_id, seq, max(at) OVER (PARTITION BY order_id ORDER BY seq) AS reached_at
          FROM order_timeline WHERE event_id IS NULL
        ), numbered AS (
          SELECT order_id, seq, row_number() OVER (ORDER BY reached_at, order_id, seq) AS place
          FROM entries
          ORDER BY reached_at, order_id, seq
          LIMIT $1
        )
        UPDATE order_timeline t SET event_id = last.event_id + numbered.place
        FROM last, numbered
        WHERE t.order_id = numbered.order_id AND t.seq = numbered.seq`,
      values: [MAX_NUMBERED],
    });
  });
}

import type { Database } from '../../database/database.ts';
import { type FeedEvent, listEvents } from '../../database/events.ts';

const PAGE = 100;

/** I10: the feed has every entry of every timeline once, in one order without gaps. */
export async function eventViolations(database: Database): Promise<string[]> {
  const events: FeedEvent[] = [];
  for (;;) {
    const page = await listEvents(database, { after: events.at(-1)?.eventId ?? 0, limit: PAGE });
    events.push(...page);
    if (page.length < PAGE) break;
  }
  const problems: string[] = [];
  const seqs = new Map<string, number>();
  for (const [index, { eventId, orderId, seq }] of events.entries()) {
    if (eventId !== index + 1) problems.push(`I10: event ${eventId} stands where ${index + 1} should`);
    if (seq !== (seqs.get(orderId) ?? 0) + 1) problems.push(`I10: entry ${seq} of order ${orderId} is out of order`);
    seqs.set(orderId, seq);
  }
  const { rows } = await database.query<{ orderId: string; count: number }>(
    'SELECT order_id AS "orderId", count(*)::integer AS count FROM order_timeline GROUP BY order_id',
  );
  for (const { orderId, count } of rows) {
    const inFeed = seqs.get(orderId) ?? 0;
    if (inFeed !== count) problems.push(`I10: the feed has ${inFeed} of ${count} entries of order ${orderId}`);
  }
  return problems;
}

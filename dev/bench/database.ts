import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { stderr, stdout } from 'node:process';
import { createDatabase, type Database } from '../../database/database.ts';
import { listEvents } from '../../database/events.ts';
import { migrate } from '../../database/migrate.ts';
import { listOrders, type OrderFilter, type OrderPosition } from '../../database/order-pages.ts';
import { appendTimelineEntry, insertOrder } from '../../database/orders.ts';
import { LAYERS } from '../stack/infrastructure.ts';
import { createPostgresServer, ensureDatabase } from '../stack/postgres.ts';
import { openStateFolder, removeStateFolder } from '../stack/state-folder.ts';
import { median, percentile, throughput } from './measure.ts';
import { measurePages } from './pages.ts';

const ORDERS = 100_000;
const PAGES = 300;
const WRITERS = 20;
const WRITTEN = 3_000;
const ROUNDS = 3;
const LIMIT = 100;
/** The number of the newest order. */
let written = ORDERS;

const { folder: state } = await openStateFolder(join(tmpdir(), `order-backend-database-bench-${userInfo().username}`));
const server = await createPostgresServer({ state, port: undefined, durable: true, layer: LAYERS.infrastructure });
try {
  await server.start();
  await ensureDatabase(server.url('postgres'), 'bench');
  await migrate(server.url('bench'));
  const database = createDatabase({
    url: server.url('bench'),
    poolSize: WRITERS + 1,
    name: 'bench',
  });
  await fill(database);
  stdout.write(await measureLists(database));
  stdout.write(await measurePages(database));
  stdout.write(await measureFeed(database));
  await database.end();
} finally {
  await server.stop();
  state.release();
  await removeStateFolder(state.path, []);
}

/** Orders as a shop has them: most have ended, a few are open, and some customers have many. */
async function fill(database: Database): Promise<void> {
  for (let first = 0; first < ORDERS; first += 2_000) {
    await database.query(
      `WITH new_orders AS (
        INSERT INTO orders (order_id, customer_id, status, seq, total_amount_minor, currency, request_hash, trace_id, run_id,
          checkout_session_id, payment_intent_id, tracking_number, created_at)
        SELECT lpad(to_hex(n), 24, '0'), CASE WHEN n % 100 = 0 THEN 'often' ELSE 'customer-' || n % 5000 END,
          CASE WHEN n % 1000 < 3 THEN 'PAID' WHEN n % 7 = 0 THEN 'EXPIRED' ELSE 'FINISHED' END,
          1, 100, 'USD', 'hash', 'trace', 'run', 'cs_' || n, 'pi_' || n, 'track-' || n, now() - n * interval '1 minute'
        FROM generate_series($1::integer, $2::integer) AS n
        RETURNING order_id
      )
      INSERT INTO order_timeline (order_id, seq, status, event, detail, source)
      SELECT order_id, seq, 'PENDING', 'note', 'Made.', 'note:' || seq FROM new_orders, generate_series(1, 4) AS seq`,
      [first, first + 1_999],
    );
    stderr.write(`${first + 2_000} orders\n`);
  }
  await database.query('VACUUM ANALYZE');
}

async function measureLists(database: Database): Promise<string> {
  const hour = 3_600_000;
  const filters: Readonly<Record<string, OrderFilter>> = {
    'all orders': {},
    'a rare status': { status: 'PAID' },
    'a frequent status': { status: 'FINISHED' },
    'an absent status': { status: 'CANCELLED' },
    'a customer with 1000 orders': { customerId: 'often' },
    'a customer and a status': { customerId: 'often', status: 'EXPIRED' },
    'a span of time': { createdFrom: new Date(Date.now() - 900 * hour), createdTo: new Date(Date.now() - 800 * hour) },
    'a payment intent': { paymentIntentId: 'pi_77777' },
  };
  const rows = [
    `A page of ${LIMIT} of ${ORDERS} orders, ${PAGES} pages each: median and p95 in ms, then of SELECT 1 between them`,
  ];
  for (const [name, filter] of Object.entries(filters)) {
    const tookMs: number[] = [];
    const nothingMs: number[] = [];
    let after: OrderPosition | undefined;
    for (let page = 0; page < PAGES; page += 1) {
      const startedAt = performance.now();
      const { next } = await listOrders(database, filter, { limit: LIMIT, after });
      tookMs.push(performance.now() - startedAt);
      // What the machine itself takes for a round trip at this moment; it may have other things to do.
      const nothingAt = performance.now();
      await database.query('SELECT 1');
      nothingMs.push(performance.now() - nothingAt);
      after = next;
    }
    const figures = [tookMs, nothingMs].flatMap((each) => [median(each), percentile(each, 95)]);
    rows.push(`${name.padEnd(30)} ${figures.map((ms) => ms.toFixed(1).padStart(6)).join(' ')}`);
  }
  return `${rows.join('\n')}\n\n`;
}

/** What a feed costs the writers: none, one that is read all the time, and one whose numbers the writers give. */
async function measureFeed(database: Database): Promise<string> {
  const startedAt = performance.now();
  let after = 0;
  let caughtUp = 0;
  for (;;) {
    const page = await listEvents(database, { after, limit: LIMIT });
    after = page.at(-1)?.eventId ?? after;
    caughtUp += page.length;
    if (page.length === 0) break;
  }
  const rows = [
    `Feed: ${caughtUp} entries numbered and read in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`,
    `Entries written a second by ${WRITERS} writers, ${ROUNDS} rounds`,
  ];
  const rates: Record<string, number[]> = {
    'nobody reads the feed': [],
    'a reader follows it': [],
    'writers give numbers': [],
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    rates['nobody reads the feed']?.push(await write(database));
    const writers = { areDone: false };
    const reader = (async () => {
      while (!writers.areDone) after = (await listEvents(database, { after, limit: LIMIT })).at(-1)?.eventId ?? after;
    })();
    rates['a reader follows it']?.push(await write(database));
    writers.areDone = true;
    await reader;
    await numberWhenWritten(database);
    rates['writers give numbers']?.push(await write(database));
    await database.query('DROP TRIGGER number_entry ON order_timeline');
  }
  for (const [name, each] of Object.entries(rates)) {
    rows.push(
      `${name.padEnd(30)} ${median(each).toFixed(0).padStart(6)}  (${each.map((rate) => rate.toFixed(0)).join(' · ')})`,
    );
  }
  return `${rows.join('\n')}\n`;
}

/** The way that was not taken: a number that is given in the order of commits has to be given under a lock until then. */
async function numberWhenWritten(database: Database): Promise<void> {
  await listEvents(database, { after: Number.MAX_SAFE_INTEGER, limit: 1 });
  await database.query(`
    CREATE OR REPLACE FUNCTION number_entry() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_advisory_xact_lock(1);
      NEW.event_id := (SELECT COALESCE(max(event_id), 0) + 1 FROM order_timeline);
      RETURN NEW;
    END $$`);
  await database.query(
    'CREATE TRIGGER number_entry BEFORE INSERT ON order_timeline FOR EACH ROW EXECUTE FUNCTION number_entry()',
  );
}

async function write(database: Database): Promise<number> {
  const entriesAnOrder = 4;
  const rate = await throughput(WRITERS, WRITTEN / entriesAnOrder, async () => {
    written += 1;
    const orderId = written.toString(16).padStart(24, '0');
    const lines = [{ itemId: 'pencil', name: 'Pencil', quantity: 1, unitAmountMinor: 100, currency: 'USD' }];
    const order = { orderId, customerId: 'writer', runId: 'run', requestHash: 'hash', traceId: 'trace', lines };
    await insertOrder(database, { ...order, detail: 'Made.' });
    for (let note = 1; note < entriesAnOrder; note += 1) {
      await appendTimelineEntry(database, { orderId, source: `note:${note}`, event: 'note', detail: 'Note.' });
    }
  });
  return rate * entriesAnOrder;
}

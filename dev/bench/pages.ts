import { Client, Connection } from '@temporalio/client';
import { createCatalogue } from '../../api/catalogue.ts';
import { createOrdersApp } from '../../api/orders-api.ts';
import { createDeskReads } from '../../api/pages/operator/reads.ts';
import { createOperatorSessions } from '../../api/pages/operator/sessions.ts';
import { fakeDependencies } from '../../api/testing/fakes.ts';
import type { Database } from '../../database/database.ts';
import { listOrders } from '../../database/order-pages.ts';
import { findOrder, insertOrder } from '../../database/orders.ts';
import { loadConfig } from '../../platform/config.ts';
import { median, percentile } from './measure.ts';

const TIMES = 200;
const WARM_UP = 20;
const OPERATOR_TOKEN = 'operator-token-of-32-characters';
/** A bad shop's: 6 of 1,000 orders; a few have not ended. */
const DISPUTES = 600;
const OPEN_DISPUTES = 20;

/** How long pages take, in the API's process with its database and without the network. */
export async function measurePages(database: Database): Promise<string> {
  const order = await fill(database);
  const config = loadConfig({ OPERATOR_TOKEN });
  // No order is slow here, so no page asks Temporal.
  const client = new Client({ connection: Connection.lazy() });
  const app = await createOrdersApp({
    ...fakeDependencies().dependencies,
    findOrder: (orderId) => findOrder(database, orderId),
    listOrders: (filter, page) => listOrders(database, filter, page),
    catalogue: createCatalogue(database),
    shopPage: true,
    operatorToken: OPERATOR_TOKEN,
    sessions: createOperatorSessions(config),
    deskReads: createDeskReads({ config, client, database }),
    checks: {},
    requestsPerMinute: 1_000_000,
    trustedProxies: [],
  });
  const signedIn = await app.inject({
    method: 'POST',
    url: '/operator/sign-in',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: `token=${OPERATOR_TOKEN}`,
  });
  const [cookie = ''] = String(signedIn.headers['set-cookie']).split(';');
  const rows = [`Pages, ${TIMES} times each: median and p95 in ms, then of SELECT 1 between them`];
  for (const url of [
    '/',
    `/payment?customer-id=${order.customerId}&order-id=${order.orderId}`,
    '/operator',
    '/operator/orders',
    '/operator/orders?status=PAID',
    '/operator/orders?q=nothing',
    `/operator/orders/${order.orderId}`,
    '/operator/items',
  ]) {
    const tookMs: number[] = [];
    const nothingMs: number[] = [];
    for (let time = -WARM_UP; time < TIMES; time += 1) {
      const startedAt = performance.now();
      const { statusCode } = await app.inject({ url, headers: { cookie } });
      if (statusCode !== 200) throw new Error(`${url} was answered ${statusCode}`);
      const nothingAt = performance.now();
      await database.query('SELECT 1');
      if (time < 0) continue;
      tookMs.push(nothingAt - startedAt);
      nothingMs.push(performance.now() - nothingAt);
    }
    const figures = [tookMs, nothingMs].flatMap((each) => [median(each), percentile(each, 95)]);
    rows.push(`${url.slice(0, 30).padEnd(30)} ${figures.map((ms) => ms.toFixed(1).padStart(6)).join(' ')}`);
  }
  await app.close();
  return `${rows.join('\n')}\n\n`;
}

async function fill(database: Database) {
  await database.query(
    `INSERT INTO order_timeline (order_id, seq, status, event, detail, source)
      SELECT lpad(to_hex(n), 24, '0'), 5, 'FINISHED', 'payment.disputed', 'Disputed.', 'dispute:' || n
      FROM generate_series(1, $1::integer) AS n
      UNION ALL
      SELECT lpad(to_hex(n), 24, '0'), 6, 'FINISHED', 'dispute.closed', 'Closed.', 'dispute:' || n || ':closed'
      FROM generate_series($2::integer + 1, $1::integer) AS n`,
    [DISPUTES, OPEN_DISPUTES],
  );
  await database.query('VACUUM ANALYZE order_timeline');
  const order = {
    orderId: 'f'.repeat(24),
    customerId: 'customer-1',
    runId: 'run',
    requestHash: 'hash',
    traceId: 'trace',
  };
  const lines = [{ itemId: 'pencil', name: 'Pencil', quantity: 1, unitAmountMinor: 100, currency: 'USD' }];
  await insertOrder(database, { ...order, lines, detail: 'Made.' });
  // One that has ended, so that its page asks nothing of Temporal.
  await database.query("UPDATE orders SET status = 'FINISHED' WHERE order_id = $1", [order.orderId]);
  return order;
}

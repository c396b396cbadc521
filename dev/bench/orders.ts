import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createSandboxAdmin } from '../stripe-sandbox/admin-client.ts';
import { type BenchStack, ITEM } from './stack.ts';

/** Fine enough for rates, and one statement for all clients, so that watching costs next to nothing. */
const WATCH_INTERVAL_MS = 20;
const PATIENCE_MS = 120_000;

type Row = { readonly order_id: string; readonly status: string; readonly checkout_session_id: string | null };
type Waiter = { readonly until: string; readonly deadline: number; readonly resolve: (row: Row) => void };

/** What a client does with orders, through the API and the sandbox's admin face. */
export function createOrders({ apiUrl, sandboxUrl, database }: BenchStack) {
  const sandbox = createSandboxAdmin(sandboxUrl);
  const waiters = new Map<string, Waiter>();
  let watching: Promise<void> | undefined;

  async function watch(): Promise<void> {
    while (waiters.size > 0) {
      const found = await database.query<Row>({
        name: 'bench.orders',
        text: 'SELECT order_id, status, checkout_session_id FROM orders WHERE order_id = ANY($1::text[])',
        values: [[...waiters.keys()]],
      });
      for (const row of found.rows) {
        const waiter = waiters.get(row.order_id);
        if (waiter === undefined) continue;
        if (waiter.deadline < Date.now()) throw new Error(`Order ${row.order_id} is still ${row.status}`);
        if (waiter.until !== row.status) continue;
        waiters.delete(row.order_id);
        waiter.resolve(row);
      }
      await delay(WATCH_INTERVAL_MS);
    }
    watching = undefined;
  }

  async function untilStatus(orderId: string, until: string): Promise<Row> {
    const reached = new Promise<Row>((resolve) => {
      waiters.set(orderId, { until, deadline: Date.now() + PATIENCE_MS, resolve });
    });
    watching ??= watch();
    // An error of the watcher ends the wait; its end without one does not.
    return Promise.race([reached, watching.then(() => reached)]);
  }

  /** Creates an order of a customer who has no other, and returns its id. */
  async function create(): Promise<string> {
    const customerID = randomUUID();
    const response = await fetch(`${apiUrl}/api/customer/${customerID}/create`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ customerID, items: [{ itemID: ITEM, quantity: 1 }] }),
    });
    const answer = (await response.json()) as { data: { order_id: string } | null; message: string };
    if (response.status !== 200 || answer.data === null) throw new Error(`A create was answered: ${answer.message}`);
    return answer.data.order_id;
  }

  return {
    create,
    untilStatus,

    /** Takes one order from its create to FINISHED, and returns its id; the customer pays as soon as there is a link. */
    async complete(): Promise<string> {
      const orderId = await create();
      const { checkout_session_id: sessionId } = await untilStatus(orderId, 'WAITING_FOR_PAYMENT');
      await sandbox.pay(sessionId ?? '');
      await untilStatus(orderId, 'FINISHED');
      return orderId;
    },
  };
}

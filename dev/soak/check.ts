import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, createContext } from '../../cli/context.ts';
import { compareMoney } from '../../cli/doctor/money.ts';
import { taskQueues } from '../../contracts/messages.ts';
import type { Difference } from '../../domain/books.ts';
import { isTerminal, type OrderStatus } from '../../domain/order-status.ts';
import { createLogger } from '../../platform/logger.ts';
import { startTelemetry } from '../../platform/telemetry.ts';
import { installTemporalRuntime } from '../../platform/temporal-worker.ts';
import { workflowBundle } from '../../workers/workflow-bundle.ts';
import { eventViolations } from '../invariants/event-feed.ts';
import { findViolations } from '../invariants/find-violations.ts';
import { findHistoryViolations } from '../invariants/replay.ts';
import { OPERATOR } from './people.ts';
import { ifPossible, type Shop } from './shop.ts';
import { PAYMENT_WINDOW_MS, type SoakStack } from './stack.ts';

/** A minute after the last fault all is well again; on a machine that does other things, after some more. */
const RECOVERED_WITHIN_MS = 180_000;
const LOOK_AGAIN_MS = 2_000;

/** Once a process; the replay's own log would drown the report. */
let installed: ReturnType<typeof installTemporalRuntime> | undefined;

type Row = { readonly order_id: string; readonly status: OrderStatus };

/**
 * The faults end: what Stripe still holds back comes, debits come to their results, banks decide, people look at what is
 * in doubt.
 *
 * @returns how long it took until every order had ended, in ms; undefined if some never did
 */
export async function calmDown(stack: SoakStack, shop: Shop): Promise<number | undefined> {
  const { sandbox, database } = stack;
  await sandbox.clearFaults();
  await sandbox.clearWebhookRules();
  await sandbox.releaseEvents();
  const beganAt = Date.now();
  for (const { id, status, paymentStatus } of await sandbox.sessions()) {
    if (status === 'complete' && paymentStatus === 'unpaid') await ifPossible(sandbox.settle(id, 'succeeded'));
  }
  const { disputes, charges } = await sandbox.ledger();
  for (const { id, status } of disputes) {
    if (status === 'needs_response') await ifPossible(sandbox.closeDispute(id, 'won'));
  }
  for (const { reviewId } of charges) {
    if (reviewId !== null) await ifPossible(sandbox.closeReview(reviewId, 'approved'));
  }
  // Tries what is pending at once, instead of minutes later.
  await sandbox.setWebhook({ url: stack.webhookUrl });
  for (const deadline = beganAt + PAYMENT_WINDOW_MS + RECOVERED_WITHIN_MS; Date.now() < deadline;) {
    const { rows } = await database.query<Row>('SELECT order_id, status FROM orders');
    const open = rows.filter(({ status }) => !isTerminal(status));
    if (open.length === 0) return Date.now() - beganAt;
    for (const { order_id: orderId, status } of open) {
      if (status === 'PAID') await ifPossible(shop.post(`/api/operator/orders/${orderId}/release`, {}, OPERATOR));
    }
    await sleep(LOOK_AGAIN_MS);
  }
  return undefined;
}

/**
 * Compares the books with Stripe, as the product does every hour, and has the orders look at what differs: events about
 * money that were lost for good are found by it alone.
 *
 * @returns what still differs
 */
export async function compareBooks(stack: SoakStack, sinceMs: number): Promise<Difference[]> {
  return withContext(stack, async (context) => {
    const { data } = await compareMoney(context, { since: new Date(sinceMs), repair: true });
    return (data as { differences: Difference[] }).differences;
  });
}

/** Does what the operators' command line does. */
export async function withContext<T>({ config }: SoakStack, use: (context: Context) => Promise<T>): Promise<T> {
  const context = createContext({ config, stackFile: undefined, stripeKeyIsElsewhere: false });
  try {
    return await use(context);
  } finally {
    await context.close();
  }
}

/** Looks at I1–I6 and I8–I10 until all hold or the time is over, and then at the histories. */
export async function findAllViolations(stack: SoakStack, shop: Shop): Promise<string[]> {
  const { database, client, sandbox, config } = stack;
  const witnesses = { database, client, stripe: sandbox, creates: shop.creates };
  const look = async () => [...(await findViolations(witnesses)), ...(await eventViolations(database))];
  let violations = await look();
  for (const deadline = Date.now() + RECOVERED_WITHIN_MS; violations.length > 0 && Date.now() < deadline;) {
    await sleep(LOOK_AGAIN_MS);
    violations = await look();
  }
  const logger = createLogger({ production: false, logLevel: 'silent' }, 'soak');
  await (installed ??= installTemporalRuntime(logger));
  const { plugins } = startTelemetry({ serviceName: 'soak', config, logger });
  const bundle = { workflowBundle: await workflowBundle(), plugins };
  const { orders: ordersQueue } = taskQueues(config.temporal.taskQueuePrefix);
  return [...violations, ...(await findHistoryViolations({ client, database, ordersQueue, bundle }))];
}

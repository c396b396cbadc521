import type { Client } from '@temporalio/client';
import type { FulfillmentActivities } from '../../activities/fulfillment.ts';
import type { OrderActivities } from '../../activities/orders.ts';
import type { StockActivities } from '../../activities/stock.ts';
import {
  JOURNAL_QUERY,
  type JournaledActivity,
  type JournalEntry,
  PAYMENT_AFTERCARE,
  REFUND_ORDER,
  REFUND_PART,
  taskQueues,
} from '../../contracts/messages.ts';
import type { Database } from '../../database/database.ts';
import { appendTimelineEntry, findOrder, insertOrder } from '../../database/orders.ts';
import { failPart, openPart, settlePart } from '../../database/refunds.ts';
import { callOffShipment, insertShipment } from '../../database/shipments.ts';
import {
  ReservationReleasedError,
  beginShipment,
  giveBackStock,
  holdStock,
  recordReleasedLines,
} from '../../database/stock.ts';
import type { Context } from '../context.ts';
import { CliError, exitCodes, reasonOf } from '../errors.ts';
import { type Finding, ok, problem } from './finding.ts';

const ABOUT = 'Repair';
/** A worker replays the history for the answer; one that is there needs a second at most. */
const QUERY_TIMEOUT_MS = 10_000;

type Activities = OrderActivities & StockActivities & FulfillmentActivities;
type Redo = {
  readonly [A in JournaledActivity]: (
    input: Parameters<Activities[A]>[0],
    result: Awaited<ReturnType<Activities[A]>>,
  ) => Promise<unknown>;
};

/**
 * Writes the rows of an order again from the journals of its workflows, after PostgreSQL was restored from a backup. What
 * the rows have already stays as it is, so it is safe to do at any time.
 *
 * @param workflowId of the order, or of a workflow that looked after it later
 * @returns how many steps there were to do again
 * @throws CliError if no worker answers
 */
export async function rewriteFromJournal(context: Context, client: Client, workflowId: string): Promise<number> {
  const journal = await readJournal(client, workflowId);
  for (const entry of journal) await redo(context, entry);
  return journal.length;
}

/** Returns what all runs of a workflow have had written, in order. @throws CliError if no worker answers */
export async function readJournal(client: Client, workflowId: string): Promise<JournalEntry[]> {
  const runs: { readonly runId: string; readonly startTime: Date }[] = [];
  for await (const run of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) runs.push(run);
  runs.sort((left, right) => left.startTime.getTime() - right.startTime.getTime());
  const journal: JournalEntry[] = [];
  for (const { runId } of runs) {
    try {
      journal.push(
        ...(await client.withDeadline(Date.now() + QUERY_TIMEOUT_MS, () =>
          client.workflow.getHandle(workflowId, runId).query<readonly JournalEntry[]>(JOURNAL_QUERY),
        )),
      );
    } catch (error) {
      const why = `Workflow ${workflowId} could not be asked what it has had written (${reasonOf(error)}).`;
      throw new CliError(exitCodes.away, `${why} Start the worker on the queue orders`, { cause: error });
    }
  }
  return journal;
}

async function redo({ database, settings }: Context, { activity, input, result }: JournalEntry): Promise<void> {
  const hasBuiltInWarehouse = settings.config.fulfillment === undefined;
  const redoing: Redo = {
    recordOrder: (order) => insertOrder(database, order),
    recordTimelineEntry: async (entry) => {
      // The row may have gone further since; only what it lacks is written.
      const order = await findOrder(database, entry.orderId);
      if (order?.timeline.some(({ source }) => source === entry.source) === true) return;
      await appendTimelineEntry(database, entry);
    },
    holdStock: async ({ orderId, runId, lines, customerId }, held) => {
      // Without its limits: the order has been made.
      if (held.held) await holdAgain(database, { orderId, runId, lines, ...(customerId && { customerId }) });
    },
    giveBackStock: (held) => giveBackStock(database, held),
    fulfillOrder: async ({ orderId }, end) => {
      await beginShipment(database, orderId);
      if (hasBuiltInWarehouse && end.outcome === 'shipped') await insertShipment(database, orderId, end.trackingNumber);
    },
    callOffFulfillment: async ({ orderId }, end) => {
      if (hasBuiltInWarehouse && end.outcome === 'calledOff') await callOffShipment(database, orderId);
    },
    openPart: async (part, opened) => {
      if (opened.outcome === 'open') await openPart(database, part);
    },
    settlePart: (part) => settlePart(database, part),
    failPart: (part) => failPart(database, part),
  };
  await (redoing[activity] as (input: unknown, result: unknown) => Promise<unknown>)(input, result);
}

async function holdAgain(database: Database, wanted: Parameters<typeof holdStock>[1]): Promise<void> {
  try {
    const result = await holdStock(database, wanted);
    if (result.held) return;
    const { refusal } = result;
    const items =
      refusal.reason === 'outOfStock'
        ? refusal.shortages.map(
            ({ itemId, wanted: pieces, available }) => `${pieces} of ${itemId}, ${available} are there`,
          )
        : [refusal.reason];
    throw new CliError(
      exitCodes.refused,
      `Order ${wanted.orderId} holds stock that the restored database does not have (${items.join('; ')}): book what has come in since the backup with \`stock add\``,
    );
  } catch (error) {
    if (!(error instanceof ReservationReleasedError)) throw error;
    // The order has given its stock back, perhaps to a database that did not know that it had any.
    await recordReleasedLines(database, wanted);
  }
}

/** Lists the workflows that look after orders that have ended: refunds, and the aftercare of payments. */
export async function listLaterWorkflows(context: Context, client: Client): Promise<string[]> {
  const { orders } = taskQueues(context.settings.config.temporal.taskQueuePrefix);
  const query = `TaskQueue = '${orders}' AND WorkflowType IN ('${REFUND_ORDER}', '${REFUND_PART}', '${PAYMENT_AFTERCARE}')`;
  const found: { readonly workflowId: string; readonly startTime: Date }[] = [];
  for await (const workflow of client.workflow.list({ query })) found.push(workflow);
  found.sort((left, right) => left.startTime.getTime() - right.startTime.getTime());
  return [...new Set(found.map(({ workflowId }) => workflowId))];
}

/**
 * Does something for many orders or workflows, some at once, and tells of each. A problem with one keeps nobody from the
 * others, but if no worker answers (`isAway`), the rest is left.
 */
export async function forEach(
  what: 'Order' | 'Workflow',
  ids: readonly string[],
  act: (id: string) => Promise<string | undefined>,
): Promise<{ readonly findings: readonly Finding[]; readonly isAway: boolean }> {
  const AT_ONCE = 8;
  const findings: Finding[] = [];
  let isAway = false;
  const waiting = ids.values();
  const next = async (): Promise<void> => {
    for (const id of waiting) {
      if (isAway) return;
      try {
        const done = await act(id);
        if (done !== undefined) findings.push(ok(ABOUT, done));
      } catch (error) {
        if (isAway) return;
        isAway = error instanceof CliError && error.exitCode === exitCodes.away;
        const fix = 'Do what it says, or see docs/operations.md, "After a restore"; then repair again.';
        const message = `${what} ${id} could not be repaired: ${reasonOf(error)}`;
        findings.push(problem(ABOUT, message, fix, what === 'Order' ? [id] : undefined));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return { findings, isAway };
}

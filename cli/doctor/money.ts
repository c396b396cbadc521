import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowIdConflictPolicy } from '@temporalio/client';
import { createBooksActivities } from '../../activities/books.ts';
import {
  RECONCILE_BOOKS,
  type ReconcileBooksInput,
  type ReconcileBooksResult,
  reconciliationScheduleId,
  taskQueues,
} from '../../contracts/messages.ts';
import {
  addBalances,
  type Balance,
  type BookList,
  type BookPosition,
  describeDifference,
  type Difference,
  EMPTY_BALANCE,
  type Sums,
} from '../../domain/books.ts';
import { formatMoney } from '../../domain/money.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../errors.ts';
import type { CommandResult } from '../run-command.ts';
import { formatTime, styled, table } from '../text.ts';

const LISTS: readonly BookList[] = ['charges', 'refunds', 'disputes', 'unsettled'];
/** What came in while the lists were read may still be on its way into the rows. */
const PAUSE_MS = 3_000;

/**
 * Compares the rows with Stripe now, and prints the balance with all that differs. It changes nothing, unless `repair` has
 * the orders told of it first, as the hourly comparison does.
 *
 * @param options `since`: what was made at Stripe from then on
 */
export async function compareMoney(
  context: Context,
  { since, repair }: { readonly since: Date; readonly repair: boolean },
): Promise<CommandResult> {
  if (repair) await reconcile(context, since);
  const { balance, differences } = await compareAll(context, since);
  const agree = differences.length === 0;
  return {
    data: { agree, since: since.toISOString(), balance, differences },
    text: describe(since, balance, differences),
    exitCode: agree ? exitCodes.done : exitCodes.problems,
  };
}

/** Has the orders told of what differs, and waits for what comes of it. */
async function reconcile(context: Context, since: Date): Promise<void> {
  const client = await context.temporal();
  const { taskQueuePrefix } = context.settings.config.temporal;
  await client.workflow.execute<(input: ReconcileBooksInput) => Promise<ReconcileBooksResult>>(RECONCILE_BOOKS, {
    workflowId: `${reconciliationScheduleId(taskQueuePrefix)}-by-the-doctor`,
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
    taskQueue: taskQueues(taskQueuePrefix).orders,
    args: [{ lookFromMs: since.getTime() }],
    staticSummary: 'Compares the rows with Stripe, for the doctor',
  });
}

async function compareAll(
  context: Context,
  since: Date,
): Promise<{ readonly balance: Balance; readonly differences: readonly Difference[] }> {
  const books = createBooksActivities(context);
  const [startedAtMs, lookedFromMs] = [Date.now(), since.getTime()];
  let balance = EMPTY_BALANCE;
  /** Payments that differ, and whether the sums lack them. */
  const differing = new Map<string, boolean>();
  for (const list of LISTS) {
    let after: string | null = null;
    do {
      const position: BookPosition = { list, after, looks: 0 };
      const look = await books.lookAtBooks({ position, startedAtMs, lookedFromMs });
      balance = addBalances(balance, look.balance);
      for (const { paymentIntentId: id } of look.differences) {
        differing.set(id, differing.get(id) === true || look.uncounted.includes(id));
      }
      after = look.after;
    } while (after !== null);
  }
  const again = [...differing].map(([paymentIntentId, isUncounted]) => ({ paymentIntentId, isUncounted }));
  if (again.length === 0) return { balance, differences: [] };
  await sleep(PAUSE_MS);
  const look = await books.lookAtPayments(again, { isLast: true });
  return { balance: addBalances(balance, look.balance), differences: look.differences };
}

function describe(since: Date, balance: Balance, differences: readonly Difference[]): string {
  const { charges, notOurs, returned, lines } = balance;
  const head = `${charges} payments at Stripe since ${formatTime(since)}: ${notOurs} of other sales, ${returned} given back because no order needed them`;
  const rows = lines.flatMap(({ currency, atStripe, here }) => [
    [currency, 'at Stripe', ...amounts(atStripe, currency)],
    ['', 'here', ...amounts(here, currency)],
  ]);
  const sums = rows.length === 0 ? [] : [table([['', '', 'charged', 'refunded', 'lost', 'kept'], ...rows])];
  const problems = differences.map((difference) => `${styled('red', '✗')} ${describeDifference(difference)}`);
  const end =
    differences.length === 0
      ? `${styled('green', '✓')} The books agree.`
      : `${differences.length} payments differ. \`doctor --money --repair\` tells their orders; docs/operations.md, "BooksDiffer", tells what is left to do.`;
  return [head, ...sums, ...problems, end].join('\n');
}

function amounts({ chargedMinor, refundedMinor, lostMinor, keptMinor }: Sums, currency: string): string[] {
  return [chargedMinor, refundedMinor, lostMinor, keptMinor].map((amountMinor) =>
    formatMoney({ amountMinor, currency }),
  );
}

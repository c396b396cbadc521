import type { Client } from '@temporalio/client';
import { describeLostOrder, describeSlowOrder, isFailing, patienceMs, reasonFor } from '../../api/order-health.ts';
import { ORDER_STATUS_ATTRIBUTE } from '../../contracts/messages.ts';
import { listOpenOrders } from '../../database/order-checks.ts';
import type { ListedOrder } from '../../database/order-pages.ts';
import { findOrder } from '../../database/orders.ts';
import { isTerminal } from '../../domain/order-status.ts';
import type { Context } from '../context.ts';
import { describeWorkflow } from '../workflow-state.ts';
import { attempt, type Finding, ok, problem, warning } from './finding.ts';
import { readJournal } from './rewrite-rows.ts';
import { standingOf } from './standing.ts';
import { type SurveyedOrder, surveyOrders } from './survey.ts';

const ABOUT = 'Orders';
const SEE_TEMPORAL = 'See the findings on PostgreSQL and Temporal.';
const MINUTE_MS = 60_000;
/** The most orders to describe in full; the rest are counted. */
const MAX_DESCRIBED = 20;
const FOLLOWS_WITHIN_MS = 15_000;

/**
 * Orders that wait longer than they should, that nobody looks after, and that their rows and their workflows tell
 * differently of, as after a restore.
 */
export async function checkOrders(context: Context): Promise<readonly Finding[]> {
  return attempt(ABOUT, SEE_TEMPORAL, async () => {
    const client = await context.temporal();
    const survey = await surveyOrders(context, client);
    const open = await listOpenOrders(context.database);
    const parted = await findParted(client, survey, MINUTE_MS);
    const lost = await findLostOrders(context, open, survey);
    const told = new Set([...lost, ...parted].map(({ orderId }) => orderId));
    const findings = [
      ...tellSome(parted, describeParted),
      ...tellSome(lost, describeLost),
      ...(await findSlowOrders(
        context,
        open.filter(({ orderId }) => !told.has(orderId)),
      )),
      ...(await findHangingCreates(context, survey, told)),
    ];
    return findings.length > 0 ? findings : [ok(ABOUT, `all ${open.length} open orders have a running workflow`)];
  });
}

/** Describes the first of many findings of one kind, and counts the rest. */
function tellSome<T extends { readonly orderId: string }>(all: readonly T[], describe: (one: T) => Finding): Finding[] {
  const rest = all.slice(MAX_DESCRIBED).map(({ orderId }) => orderId);
  const findings = all.slice(0, MAX_DESCRIBED).map(describe);
  const [like] = findings;
  if (like === undefined || rest.length === 0) return findings;
  return [...findings, { ...like, message: `${rest.length} more orders are like these`, orderIds: rest }];
}

/**
 * Finds the orders of which PostgreSQL and Temporal tell different things, because one of them comes from a backup.
 *
 * @param createMayTakeMs how old a workflow without a row may be before it is asked whether it has written one
 */
export async function findParted(
  client: Client,
  survey: readonly SurveyedOrder[],
  createMayTakeMs: number,
): Promise<SurveyedOrder[]> {
  const parted: SurveyedOrder[] = [];
  let workersAnswer = true;
  for (const order of survey) {
    if (order.standing === 'rowBehind' || order.standing === 'apart') parted.push(order);
    if (order.standing === 'workflowBehind' && (await isStillBehind(client, order))) parted.push(order);
    if (
      order.standing === 'notWritten' &&
      Date.now() - order.run.startedAt.getTime() > createMayTakeMs &&
      workersAnswer
    ) {
      const journal = await readJournal(client, order.orderId).catch(() => undefined);
      // Without a worker nothing is known of it; each question would wait in vain.
      workersAnswer = journal !== undefined;
      if (journal?.some(({ activity }) => activity === 'recordOrder') === true) {
        parted.push({ ...order, standing: 'rowBehind' });
      }
    }
  }
  return parted;
}

/** Temporal's list lags behind, and a workflow follows its row within seconds, also if its worker crashes in between. */
async function isStillBehind(client: Client, { orderId, row, run }: SurveyedOrder): Promise<boolean> {
  if (row === undefined || Date.now() - row.updatedAt.getTime() < FOLLOWS_WITHIN_MS) return false;
  const { runId, status, searchAttributes } = await client.workflow.getHandle(orderId).describe();
  const [says] = searchAttributes[ORDER_STATUS_ATTRIBUTE] ?? [];
  const now = { runId, status: status.name, says: says as SurveyedOrder['run']['says'] };
  return runId === run.runId && standingOf(row.status, now) === 'workflowBehind';
}

function describeParted({ orderId, row, run, standing }: SurveyedOrder): Finding {
  const here = row === undefined ? `PostgreSQL has no order ${orderId}` : `Order ${orderId} is ${row.status}`;
  const there = `its workflow ${run.status === 'RUNNING' ? 'says' : 'ended as'} ${run.says}`;
  if (standing === 'rowBehind') {
    return problem(
      ABOUT,
      `${here}, but ${there}: PostgreSQL was restored to a time before that`,
      '`npm run cli -- doctor --repair` writes it again from what its workflow remembers; see docs/operations.md, "After a restore".',
      [orderId],
    );
  }
  if (standing === 'workflowBehind') {
    return problem(
      ABOUT,
      `${here}, but ${there}: Temporal was restored to a time before that`,
      '`npm run cli -- doctor --repair` ends that workflow and goes on from the row; see docs/operations.md, "After a restore".',
      [orderId],
    );
  }
  return problem(
    ABOUT,
    `${here}, but ${there}: both were restored, and each went on its own way`,
    'Look at its payment at Stripe and whether its goods have left, and refund it or ship it by hand: see docs/operations.md, "After a restore".',
    [orderId],
  );
}

/** An order that has not ended, and whose workflow is not running. */
export type LostOrder = ListedOrder & { readonly workflow: string };

/** Finds the open orders whose workflow is gone; each is checked by its id, since Temporal's lists lag behind. */
export async function findLostOrders(
  context: Context,
  open: readonly ListedOrder[],
  survey: readonly SurveyedOrder[],
): Promise<LostOrder[]> {
  const running = new Set(survey.filter(({ run }) => run.status === 'RUNNING').map(({ orderId }) => orderId));
  const lost: LostOrder[] = [];
  for (const order of open.filter(({ orderId }) => !running.has(orderId))) {
    const workflow = await describeWorkflow(context, order.orderId);
    if (workflow.found === 'unknown') throw new Error(workflow.problem);
    // One that ended by itself has not lost its order; its row is behind.
    if (workflow.found && (workflow.status === 'RUNNING' || workflow.status === 'COMPLETED')) continue;
    // It may have ended since the list was made; its row is written before its workflow ends.
    const now = await findOrder(context.database, order.orderId);
    if (now === undefined || isTerminal(now.status)) continue;
    lost.push({ ...order, status: now.status, workflow: workflow.found ? workflow.status : 'gone' });
  }
  return lost;
}

function describeLost(order: LostOrder): Finding {
  const { message, fix } = describeLostOrder(order, order.workflow);
  return problem(ABOUT, message, fix, [order.orderId]);
}

async function findSlowOrders(context: Context, open: readonly ListedOrder[]): Promise<Finding[]> {
  const patience = patienceMs(context.settings.config.paymentWindowMs);
  const slow = open.filter(({ status, updatedAt }) => {
    return !isTerminal(status) && Date.now() - updatedAt.getTime() > patience[status];
  });
  const findings: Finding[] = [];
  for (const order of slow.slice(0, MAX_DESCRIBED)) {
    const workflow = await describeWorkflow(context, order.orderId);
    const { message, fix } = describeSlowOrder(order, workflow);
    const finding = isFailing(workflow) ? problem : warning;
    findings.push(finding(ABOUT, message, fix, [order.orderId]));
  }
  const rest = slow.slice(MAX_DESCRIBED).map(({ orderId }) => orderId);
  if (rest.length > 0) {
    findings.push(
      warning(ABOUT, `${rest.length} more orders wait longer than they should`, 'Fix the ones above first.', rest),
    );
  }
  return findings;
}

/** Workflows that have run for a while and have not made their order yet. */
async function findHangingCreates(
  context: Context,
  survey: readonly SurveyedOrder[],
  told: ReadonlySet<string>,
): Promise<Finding[]> {
  const hanging = survey.filter(
    ({ orderId, standing, run }) =>
      standing === 'notWritten' &&
      run.status === 'RUNNING' &&
      !told.has(orderId) &&
      Date.now() - run.startedAt.getTime() > MINUTE_MS,
  );
  const findings: Finding[] = [];
  for (const { orderId } of hanging.slice(0, MAX_DESCRIBED)) {
    const workflow = await describeWorkflow(context, orderId);
    if (workflow.found !== true || workflow.status !== 'RUNNING') continue;
    const message = `A workflow runs for order ${orderId} and has not made it yet; ${reasonFor(workflow, 'PENDING')}`;
    findings.push(
      problem(ABOUT, message, 'A worker or PostgreSQL may be down; it goes on once they are back.', [orderId]),
    );
  }
  return findings;
}

import {
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
  WorkflowNotFoundError,
} from '@temporalio/client';
import type { Queryable } from '../../database/database.ts';
import { canTransition, isTerminal, type OrderStatus, transitionEvent } from '../../domain/order-status.ts';
import type { Ledger } from '../stripe-sandbox/ledger.ts';
import type { WireEvent } from '../stripe-sandbox/store.ts';

/** A create as the client saw it answered. */
export type AnsweredCreate = {
  readonly customerId: string;
  readonly key: string | undefined;
  readonly status: number;
  readonly orderId: string | undefined;
};

/** Everything that knows of the orders. */
export type Witnesses = {
  readonly database: Queryable;
  readonly client: Client;
  readonly stripe: { readonly ledger: () => Promise<Ledger>; readonly events: () => Promise<WireEvent[]> };
  readonly creates: readonly AnsweredCreate[];
};

type Row = {
  readonly orderId: string;
  /** The workflow run that made the order. */
  readonly runId: string;
  readonly customerId: string;
  readonly status: OrderStatus;
  readonly seq: number;
  readonly totalAmountMinor: number;
  readonly keptAmountMinor: number;
  readonly paymentIntentId: string | null;
  readonly currency: string;
  readonly reservation: 'held' | 'released' | null;
  /** Whether the reservation's lines are the order's. */
  readonly linesMatch: boolean;
  readonly refunds: readonly { stripeRefundId: string | null; amountMinor: number; state: string }[];
  readonly timeline: readonly {
    seq: number;
    at: string;
    status: OrderStatus;
    event: string;
    data: { refund?: { restock: boolean } };
  }[];
};

/**
 * What the product promises of all orders, once the faults are over: nothing is lost, nobody is charged twice.
 *
 * @returns a sentence for each promise that is broken
 */
export async function findViolations(witnesses: Witnesses): Promise<string[]> {
  const { database, stripe, creates, client } = witnesses;
  const rows = await readRows(database);
  const ledger = await stripe.ledger();
  return [
    ...(await stockViolations(database)),
    ...rows.flatMap((row) => [...reservationViolations(row), ...timelineViolations(row)]),
    ...rows.flatMap((row) => moneyViolations(row, ledger)),
    ...foreignViolations(ledger),
    ...(await unpaidShipmentViolations(witnesses, rows)),
    ...createViolations(rows, creates),
    ...(await Promise.all(rows.map((row) => workflowViolations(client, row)))).flat(),
  ];
}

async function readRows(database: Queryable): Promise<Row[]> {
  const found = await database.query<Row>(`
    SELECT o.order_id AS "orderId", o.run_id AS "runId", o.customer_id AS "customerId", o.status, o.seq,
      o.total_amount_minor AS "totalAmountMinor", o.kept_amount_minor AS "keptAmountMinor",
      o.payment_intent_id AS "paymentIntentId", o.currency, r.state AS reservation,
      NOT EXISTS (
        (SELECT item_id, quantity FROM order_lines l WHERE l.order_id = o.order_id
          EXCEPT SELECT item_id, quantity FROM reservation_lines h WHERE h.order_id = o.order_id)
        UNION ALL
        (SELECT item_id, quantity FROM reservation_lines h WHERE h.order_id = o.order_id
          EXCEPT SELECT item_id, quantity FROM order_lines l WHERE l.order_id = o.order_id)
      ) AS "linesMatch",
      COALESCE((SELECT json_agg(json_build_object('seq', t.seq, 'at', t.at, 'status', t.status, 'event', t.event, 'data', t.data)
        ORDER BY t.seq) FROM order_timeline t WHERE t.order_id = o.order_id), '[]') AS timeline,
      COALESCE((SELECT json_agg(json_build_object('stripeRefundId', f.stripe_refund_id, 'amountMinor', f.amount_minor,
        'state', f.state)) FROM refunds f WHERE f.order_id = o.order_id), '[]') AS refunds
    FROM orders o LEFT JOIN reservations r USING (order_id)`);
  return found.rows;
}

/** I1: initial + restocked = available + held, and nothing is held for an order that does not exist. */
async function stockViolations(database: Queryable): Promise<string[]> {
  const items = await database.query<{ item_id: string; expected: number; available: number; held: number }>(`
    SELECT i.item_id, i.initial + i.restocked AS expected, i.available, COALESCE(sum(l.quantity), 0)::integer AS held
    FROM items i LEFT JOIN (
      SELECT item_id, quantity - given_back AS quantity
      FROM reservation_lines JOIN reservations USING (order_id) WHERE state = 'held'
    ) l USING (item_id)
    GROUP BY i.item_id`);
  const orphans = await database.query<{ order_id: string }>(
    `SELECT order_id FROM reservations WHERE state = 'held' AND order_id NOT IN (SELECT order_id FROM orders)`,
  );
  return [
    ...items.rows
      .filter(({ expected, available, held }) => available < 0 || available + held !== expected)
      .map((item) => `I1: item ${item.item_id}: ${item.available} available + ${item.held} held, not ${item.expected}`),
    ...orphans.rows.map(({ order_id }) => `I1: stock is held for ${order_id}, which is no order`),
  ];
}

/** I1 for one order: who has or awaits the goods holds them, who will not have them holds nothing. */
function reservationViolations({ orderId, status, reservation, linesMatch, timeline }: Row): string[] {
  const hadGoods =
    status === 'REFUNDED' &&
    timeline.some((entry) => entry.status === 'FINISHED' || entry.data.refund?.restock === false);
  const expected = status === 'CANCELLED' || status === 'EXPIRED' || status === 'REFUNDED' ? 'released' : 'held';
  const problems: string[] = [];
  // A refund of goods that have left may or may not bring them back.
  if (reservation !== expected && !hadGoods) {
    problems.push(`I1: order ${orderId} is ${status}, but its reservation is ${reservation ?? 'missing'}`);
  }
  if (!linesMatch) problems.push(`I1: order ${orderId} holds something else than its lines`);
  return problems;
}

/** What is left of a charge: charged − refunded − lost in disputes. */
function keptOf(charge: Ledger['charges'][number], { disputes }: Ledger): number {
  const lost = disputes
    .filter(({ chargeId, status }) => chargeId === charge.id && status === 'lost')
    .reduce((sum, { amountMinor }) => sum + amountMinor, 0);
  return Math.max(0, charge.amountMinor - charge.amountRefundedMinor - lost);
}

/**
 * I2: at most one charge that is not wholly given back, of exactly the order's amount; at the end one exactly when
 * FINISHED. I9: what the row says is kept is what Stripe says, to the smallest unit, whoever refunded.
 */
function moneyViolations(row: Row, ledger: Ledger): string[] {
  const { orderId, status, totalAmountMinor, currency, keptAmountMinor, timeline } = row;
  if (status === 'WAITING_FOR_PAYMENT' || status === 'PENDING') return [];
  const charges = ledger.charges.filter((charge) => charge.orderId === orderId && charge.status === 'succeeded');
  const refunds = ledger.refunds.filter((refund) => refund.orderId === orderId);
  const problems: string[] = [];
  const atStripe = charges.reduce((sum, charge) => sum + keptOf(charge, ledger), 0);
  // Money that came back from the customer's bank is the operator's to send another way; the timeline says so.
  const cameBack = new Set(refunds.filter((refund) => refund.status === 'failed').map((refund) => refund.chargeId));
  const kept = charges.filter((charge) => keptOf(charge, ledger) > 0);
  if (kept.some(({ id }) => cameBack.has(id)) && !timeline.some((entry) => entry.event === 'refund.failed')) {
    problems.push(`I2: a refund of order ${orderId} failed, and its timeline does not say so`);
  }
  const keptByUs = status === 'REFUNDED' || status === 'CANCELLED' ? kept.filter(({ id }) => !cameBack.has(id)) : kept;
  for (const charge of keptByUs) {
    if (charge.amountMinor !== totalAmountMinor || charge.currency.toUpperCase() !== currency) {
      const asked = `${totalAmountMinor} ${currency}`;
      problems.push(`I2: order ${orderId} is charged ${charge.amountMinor} ${charge.currency} instead of ${asked}`);
    }
  }
  const expected = status === 'FINISHED' || status === 'PAID' ? 1 : 0;
  if (keptByUs.length !== expected) {
    problems.push(`I2: order ${orderId} is ${status} with ${keptByUs.length} charges that were not given back`);
  }
  const strays = charges.filter((charge) => charge.paymentIntentId !== row.paymentIntentId);
  const straysKept = strays.reduce((sum, charge) => sum + keptOf(charge, ledger), 0);
  if (atStripe - straysKept !== keptAmountMinor) {
    problems.push(`I9: Stripe keeps ${atStripe - straysKept} of order ${orderId}, its row says ${keptAmountMinor}`);
  }
  for (const { id, amountMinor, status: word } of refunds) {
    const known = row.refunds.find(({ stripeRefundId }) => stripeRefundId === id);
    const state = word === 'failed' || word === 'canceled' ? 'failed' : 'accepted';
    if (known?.state !== state || known.amountMinor !== amountMinor) {
      const here = known === undefined ? 'unknown' : `${known.state} with ${known.amountMinor}`;
      problems.push(
        `I9: the refund ${id} of order ${orderId} is ${state} with ${amountMinor} at Stripe, and ${here} here`,
      );
    }
  }
  return problems;
}

/** I2: what is not ours is never refunded by us. */
function foreignViolations({ charges, refunds }: Ledger): string[] {
  const ours = new Set(charges.filter(({ orderId }) => orderId !== null).map(({ id }) => id));
  return refunds
    .filter(({ chargeId, metadata }) => metadata['order_id'] !== undefined && !ours.has(chargeId ?? ''))
    .map(({ id, metadata }) => `I2: order ${metadata['order_id']} has refunded a charge of another sale (${id})`);
}

/**
 * How long what Stripe said of a payment is believed before goods leave; domain knowledge of
 * workflows/order/deliver.ts.
 */
const BELIEVED_FOR_MS = 60_000;

/**
 * I8: no goods leave for an order whose money has gone back, as far as Stripe has told us or would tell when asked. The
 * order of things is read from Temporal's history: when the order was told, and when it asked for its goods to be
 * shipped.
 */
async function unpaidShipmentViolations({ client, stripe }: Witnesses, rows: readonly Row[]): Promise<string[]> {
  const events = await stripe.events();
  const problems: string[] = [];
  for (const { orderId, paymentIntentId, timeline } of rows) {
    if (!timeline.some(({ status }) => status === 'FINISHED')) continue;
    const gone = events.filter((event) => isLastOfMoney(event, paymentIntentId));
    if (gone.length === 0) continue;
    const { events: history = [] } = (await fetchHistory(client, orderId)) ?? {};
    const shipped = shipmentOf(history);
    if (shipped === undefined) continue;
    for (const { id, type, created } of gone) {
      const told = history.findIndex((event) => signalledEventId(event) === id);
      if (told !== -1 && told < shipped.index) {
        problems.push(`I8: order ${orderId} was told of ${type} (${id}), and asked for its goods after that`);
      }
      if (created * 1000 < shipped.atMs - BELIEVED_FOR_MS - 1_000) {
        problems.push(`I8: order ${orderId} was shipped more than a minute after ${type} (${id}), unasked`);
      }
    }
  }
  return problems;
}

function isLastOfMoney({ type, data }: WireEvent, paymentIntentId: string | null): boolean {
  const object = data.object as { payment_intent?: unknown; refunded?: boolean; status?: string };
  if (paymentIntentId === null || object.payment_intent !== paymentIntentId) return false;
  return (
    (type === 'charge.refunded' && object.refunded === true) ||
    (type === 'charge.dispute.closed' && object.status === 'lost')
  );
}

/** I3: what was answered 2xx exists; one idempotency key, one order. */
function createViolations(rows: readonly Row[], creates: readonly AnsweredCreate[]): string[] {
  const customers = new Map(rows.map((row) => [row.orderId, row.customerId]));
  const ordersOfKeys = new Map<string, string>();
  const problems: string[] = [];
  for (const { customerId, key, status, orderId } of creates) {
    if (status !== 200 || orderId === undefined) continue;
    if (customers.get(orderId) !== customerId) problems.push(`I3: order ${orderId} was answered and does not exist`);
    const scopedKey = JSON.stringify([customerId, key]);
    const before = ordersOfKeys.get(scopedKey);
    if (key !== undefined && before !== undefined && before !== orderId) {
      problems.push(`I3: the key ${key} stands for ${before} and for ${orderId}`);
    }
    ordersOfKeys.set(scopedKey, orderId);
  }
  return problems;
}

/** I5: the timeline is a legal path, without gaps and in order, and the row stands where it ends. */
function timelineViolations({ orderId, status, seq, timeline }: Row): string[] {
  const problems: string[] = [];
  let before: Row['timeline'][number] | undefined;
  for (const entry of timeline) {
    const where = `I5: order ${orderId}: entry ${entry.seq} (${entry.event}, ${entry.status})`;
    if (entry.seq !== (before?.seq ?? 0) + 1) problems.push(`${where} does not follow entry ${before?.seq ?? 0}`);
    if (before !== undefined && entry.at < before.at) problems.push(`${where} is older than the one before`);
    if (entry.status !== before?.status) {
      if (!canTransition(before?.status, entry.status)) {
        problems.push(`${where} cannot come after ${before?.status ?? 'nothing'}`);
      }
      if (entry.event !== transitionEvent(entry.status)) problems.push(`${where} is not that status's event`);
    }
    before = entry;
  }
  if (before?.status !== status || before.seq !== seq) {
    problems.push(
      `I5: order ${orderId}: the row is ${status} (${seq}), its timeline ${before?.status} (${before?.seq})`,
    );
  }
  return problems;
}

/**
 * I4 and I6: an order waits for its customer in a running workflow, or has ended in a closed one that says the same.
 */
async function workflowViolations(client: Client, { orderId, runId, status, timeline }: Row): Promise<string[]> {
  const made = client.workflow.getHandle(orderId, runId);
  const madeBy = await describe(made);
  // What was terminated by hand, or had grown long, `recoverOrder` takes up under the same id.
  const goesOn = madeBy?.status.name === 'TERMINATED' || madeBy?.status.name === 'CONTINUED_AS_NEW';
  const handle = goesOn ? client.workflow.getHandle(orderId) : made;
  const workflow = goesOn ? await describe(handle) : madeBy;
  if (workflow === undefined) {
    return isTerminal(status) ? [] : [`I6: order ${orderId} is ${status} and has no workflow`];
  }
  const problems: string[] = [];
  const { pendingWorkflowTask, pendingActivities } = workflow.raw;
  if ((pendingWorkflowTask?.attempt ?? 0) > 1) {
    problems.push(`I4: a workflow task of order ${orderId} fails again and again`);
  }
  if (!isTerminal(status)) {
    if (workflow.status.name !== 'RUNNING') {
      problems.push(`I6: order ${orderId} is ${status} and its workflow ${workflow.status.name}`);
    }
    if (status !== 'WAITING_FOR_PAYMENT' || (pendingActivities ?? []).length > 0) {
      problems.push(`I4: order ${orderId} is ${status} and neither ended nor waiting for its customer`);
    }
    return problems;
  }
  if (workflow.status.name !== 'COMPLETED') {
    return [...problems, `I6: order ${orderId} is ${status} and its workflow ${workflow.status.name}`];
  }
  // After the order's workflow has ended, an operator may still refund it.
  const ended = timeline.findLast((entry) => entry.status !== 'REFUNDED' || status !== 'REFUNDED')?.status;
  const { status: result } = (await handle.result()) as { status: string };
  if (result !== status && !(status === 'REFUNDED' && ended === 'FINISHED' && result === 'FINISHED')) {
    problems.push(`I6: order ${orderId} is ${status}, but its workflow ended ${result}`);
  }
  return problems;
}

/** Undefined if Temporal has no such workflow: it was restored to before that. */
async function fetchHistory(client: Client, workflowId: string): Promise<HistoryOf | undefined> {
  const handle = client.workflow.getHandle(workflowId);
  return (await describe(handle)) === undefined ? undefined : ((await handle.fetchHistory()) as HistoryOf);
}

async function describe(handle: WorkflowHandle): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await handle.describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/** What this file reads of an event of Temporal's history. */
type HistoryEvent = {
  readonly workflowTaskFailedEventAttributes?: { readonly cause?: unknown; readonly failure?: unknown } | null;
  readonly workflowExecutionFailedEventAttributes?: unknown;
  readonly workflowExecutionTimedOutEventAttributes?: unknown;
};

type HistoryOf = { readonly events?: readonly TimedEvent[] };
type TimedEvent = HistoryEvent & {
  readonly eventId?: { toString: () => string } | null;
  readonly eventTime?: { readonly seconds?: { toString: () => string } | null } | null;
  readonly workflowExecutionSignaledEventAttributes?: { readonly input?: Payloads | null } | null;
  readonly activityTaskScheduledEventAttributes?: {
    readonly activityType?: { readonly name?: string | null } | null;
  } | null;
  readonly activityTaskCompletedEventAttributes?: {
    readonly scheduledEventId?: { toString: () => string } | null;
    readonly result?: Payloads | null;
  } | null;
};
type Payloads = { readonly payloads?: readonly { readonly data?: Uint8Array | null }[] | null };

function payloadOf(payloads: Payloads | null | undefined): unknown {
  const data = payloads?.payloads?.[0]?.data;
  return data === undefined || data === null ? undefined : JSON.parse(Buffer.from(data).toString());
}

function signalledEventId(event: TimedEvent): unknown {
  const input = payloadOf(event.workflowExecutionSignaledEventAttributes?.input) as { eventId?: unknown } | undefined;
  return input?.eventId;
}

/** Where in the history the order asked for the shipment that left. */
function shipmentOf(history: readonly TimedEvent[]): { readonly index: number; readonly atMs: number } | undefined {
  for (const { activityTaskCompletedEventAttributes: completed } of history) {
    const index = history.findIndex(({ eventId }) => String(eventId) === String(completed?.scheduledEventId));
    const scheduled = history[index];
    if (scheduled?.activityTaskScheduledEventAttributes?.activityType?.name !== 'fulfillOrder') continue;
    const result = payloadOf(completed?.result) as { outcome?: string } | undefined;
    if (result?.outcome === 'shipped') return { index, atMs: Number(scheduled.eventTime?.seconds) * 1000 };
  }
  return undefined;
}

/** Temporal ends a workflow at 51,200 events; long before that it goes on as a new run. */
const MAX_HISTORY_EVENTS = 1_000;

/**
 * The server's own reasons to retry, with no code at fault (temporal.api.enums.v1.WorkflowTaskFailedCause): a
 * message came while the workflow was about to end, or an operator terminated it meanwhile.
 */
const NO_FAULT: ReadonlySet<unknown> = new Set([
  1, // UNHANDLED_COMMAND
  17, // FORCE_CLOSE_COMMAND
  31, // UNHANDLED_UPDATE
]);

/** I4, from a history: no workflow task fails, no workflow ends but by returning, unless an operator terminates it. */
export function historyViolations(workflowId: string, history: unknown): string[] {
  const { events = [] } = history as { readonly events?: readonly HistoryEvent[] };
  const long =
    events.length > MAX_HISTORY_EVENTS ? [`I4: the history of ${workflowId} has ${events.length} events`] : [];
  const broken = events.flatMap((event) => {
    const failed = event.workflowTaskFailedEventAttributes;
    if (failed !== undefined && failed !== null && !NO_FAULT.has(failed.cause)) {
      return [
        `I4: a workflow task of ${workflowId} failed (${String(failed.cause)}): ${JSON.stringify(failed.failure)}`,
      ];
    }
    const brokenOff = event.workflowExecutionFailedEventAttributes ?? event.workflowExecutionTimedOutEventAttributes;
    return brokenOff === undefined || brokenOff === null
      ? []
      : [`I4: workflow ${workflowId} was broken off: ${JSON.stringify(brokenOff)}`];
  });
  return [...long, ...broken];
}

/** I6: a request that was refused leaves no row and holds nothing; another run may have made the order before. */
export async function refusedViolations(
  database: Queryable,
  refused: readonly { readonly workflowId: string; readonly runId: string }[],
): Promise<string[]> {
  const found = await database.query<{ order_id: string }>(
    `WITH refused AS (SELECT * FROM unnest($1::text[], $2::text[]) AS run (order_id, run_id))
      SELECT order_id FROM orders JOIN refused USING (order_id, run_id)
      UNION SELECT order_id FROM reservations JOIN refused USING (order_id, run_id) WHERE state = 'held'`,
    [refused.map(({ workflowId }) => workflowId), refused.map(({ runId }) => runId)],
  );
  return found.rows.map(({ order_id }) => `I6: order ${order_id} was refused, and there is a row of it`);
}

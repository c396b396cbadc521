import type { LinksElsewhere } from '../api/links-elsewhere.ts';
import type { WorkflowState } from '../api/order-health.ts';
import type { OrderRecord } from '../database/orders.ts';
import { formatDuration } from '../domain/duration.ts';
import { formatMoney } from '../domain/money.ts';
import { isTerminal } from '../domain/order-status.ts';
import { formatTime, styled, table } from './text.ts';

/** Describes an order for people: what was ordered, what happened when, and where to look further. */
export function describeOrder(order: OrderRecord, workflow: WorkflowState, links: LinksElsewhere): string {
  return [
    `${styled('bold', `Order ${order.orderId}`)}  ${order.status}`,
    fields([
      ['Customer', order.customerId],
      ...order.lines.map((line, index): Field => [index === 0 ? 'Items' : '', describeLine(order, line)]),
      ['Total', formatMoney({ amountMinor: order.totalAmountMinor, currency: order.currency })],
      ...order.refunds.map((refund, index): Field => [index === 0 ? 'Refunds' : '', describeRefund(order, refund)]),
      ['Created', formatTime(order.createdAt)],
      ['Payment link', order.status === 'WAITING_FOR_PAYMENT' ? order.paymentLink : null],
      ['Tracking', order.trackingNumber],
      ['Session', order.checkoutSessionId],
      ['Payment', order.paymentIntentId],
    ]),
    styled('bold', 'Timeline'),
    describeTimeline(order),
    styled('bold', 'For operators'),
    fields([
      ['Workflow', describeState(order, workflow)],
      ...pendingOf(workflow).map((step): Field => ['', step]),
      ['Temporal', links.temporal],
      ['Trace', links.zipkin],
      ['Stripe', links.stripe],
    ]),
  ].join('\n\n');
}

type Field = readonly [name: string, value: string | null];

function fields(all: readonly Field[]): string {
  return all
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `  ${name.padEnd(13)} ${value}`)
    .join('\n');
}

function describeLine({ currency }: OrderRecord, line: OrderRecord['lines'][number]): string {
  const { quantity, name, unitAmountMinor, itemId } = line;
  const money = (amountMinor: number) => formatMoney({ amountMinor, currency });
  return `${quantity} × ${name} at ${money(unitAmountMinor)} = ${money(quantity * unitAmountMinor)}  (${itemId})`;
}

function describeRefund({ currency }: OrderRecord, refund: OrderRecord['refunds'][number]): string {
  const { amountMinor, items, state, failureReason, madeAtStripe, stripeRefundId } = refund;
  const pieces = items?.map(({ itemId, quantity }) => `${quantity} × ${itemId}`).join(', ');
  const notes = [
    failureReason === null ? state : `${state}: ${failureReason}`,
    ...(pieces === undefined ? [] : [pieces]),
    ...(madeAtStripe ? ['made at Stripe'] : []),
    ...(stripeRefundId === null ? [] : [stripeRefundId]),
  ];
  return `${formatMoney({ amountMinor, currency })}  (${notes.join('; ')})`;
}

function describeTimeline({ timeline }: OrderRecord): string {
  const rows = timeline.map((entry, index) => {
    const previous = timeline[index - 1];
    const sinceMs = previous === undefined ? undefined : entry.at.getTime() - previous.at.getTime();
    const since = sinceMs === undefined ? '' : `+${formatDuration(sinceMs)}`;
    const by = entry.data.by === undefined ? '' : ` (${entry.data.by})`;
    return [formatTime(entry.at), since, entry.status, entry.event, `${entry.detail}${by}`];
  });
  return table([['WHEN', 'AFTER', 'STATUS', 'EVENT', 'WHAT'], ...rows], '  ');
}

function describeState(order: OrderRecord, workflow: WorkflowState): string {
  if (workflow.found === 'unknown') return `unknown: ${workflow.problem}`;
  const gone = `No workflow handles this order: \`npm run cli -- doctor --repair\` recovers it`;
  if (!workflow.found) {
    return isTerminal(order.status) ? 'ended; Temporal no longer keeps it (its retention is over)' : `gone. ${gone}`;
  }
  const isLost = !isTerminal(order.status) && workflow.status !== 'RUNNING';
  return isLost ? `${workflow.status}, but the order has not ended. ${gone}` : workflow.status.toLowerCase();
}

function pendingOf(workflow: WorkflowState): string[] {
  if (workflow.found !== true) return [];
  return workflow.pending.map(({ activity, attempt, failure }) => {
    const tried = attempt > 1 ? `, attempt ${attempt}` : '';
    return `running ${activity}${tried}${failure === null ? '' : `; the last attempt failed: ${failure}`}`;
  });
}

import { listOrders, type OrderFilter } from '../database/order-list.ts';
import { findOrder, type OrderRecord } from '../database/orders.ts';
import { formatMoney } from '../domain/money.ts';
import { isTerminal } from '../domain/order-status.ts';
import { refundOrder } from '../api/refund-order.ts';
import type { Context } from './context.ts';
import { CliError, exitCodes } from './errors.ts';
import { describeOrder, type Links } from './order-text.ts';
import type { CommandResult } from './run-command.ts';
import { formatTime, table } from './text.ts';
import { describeWorkflow } from './workflow-state.ts';

/** Shows an order with its timeline, and where to look further. */
export async function showOrder(context: Context, orderId: string): Promise<CommandResult> {
  const order = await requireOrder(context, orderId);
  const workflow = await describeWorkflow(context, orderId);
  const links = linksOf(context, order);
  return { data: { ...order, workflow, links }, text: describeOrder(order, workflow, links) };
}

function linksOf({ settings: { config } }: Context, order: OrderRecord): Links {
  const { namespace } = config.temporal;
  const { stripe } = config;
  const dashboard = `https://dashboard.stripe.com/${stripe.livemode ? '' : 'test/'}payments`;
  return {
    temporal: `${config.links.temporalUiUrl}/namespaces/${encodeURIComponent(namespace)}/workflows/${order.orderId}`,
    zipkin: `${config.links.zipkinUiUrl}/zipkin/traces/${order.traceId}`,
    stripe:
      stripe.sandboxUrl === undefined && order.paymentIntentId !== null
        ? `${dashboard}/${order.paymentIntentId}`
        : null,
  };
}

export async function showOrders({ database }: Context, filter: OrderFilter): Promise<CommandResult> {
  const orders = await listOrders(database, filter);
  const rows = orders.map((order) => [
    order.orderId,
    order.status,
    formatMoney({ amountMinor: order.totalAmountMinor, currency: order.currency }),
    order.customerId,
    formatTime(order.createdAt),
    formatTime(order.updatedAt),
  ]);
  const head = ['ORDER', 'STATUS', 'TOTAL', 'CUSTOMER', 'CREATED', 'LAST CHANGE'];
  return { data: orders, text: orders.length === 0 ? 'No such orders.' : table([head, ...rows]) };
}

/**
 * Cancels an order as an operator: its Checkout Session is closed, its stock comes back, and a payment that
 * comes meanwhile is given back.
 */
export async function cancelOrder(context: Context, orderId: string, reason: string): Promise<CommandResult> {
  const order = await requireOrder(context, orderId);
  if (isTerminal(order.status)) return cancelled(order);
  const lifecycle = await context.lifecycle();
  const asked = await lifecycle.cancel(orderId, { by: 'operator', reason });
  const after = await requireOrder(context, orderId);
  if (asked.outcome === 'underWay') {
    return {
      data: { orderId, status: after.status, done: false },
      text: `Order ${orderId} has taken the request and is being cancelled. \`order show ${orderId}\` tells how it ends.`,
    };
  }
  // The row is written before the workflow answers, so it has the last word.
  if (isTerminal(after.status)) return cancelled(after);
  if (asked.outcome === 'refused') throw new CliError(exitCodes.refused, `${asked.why}. ${refundHint(after)}`);
  throw new CliError(
    exitCodes.refused,
    `Order ${orderId} is ${after.status}, but no workflow runs for it. \`npm run cli -- doctor\` shows such orders, and with --repair ends them safely.`,
  );
}

function cancelled(order: OrderRecord): CommandResult {
  const { orderId, status } = order;
  if (order.timeline.some((entry) => entry.status === 'FINISHED')) {
    throw new CliError(exitCodes.refused, `Order ${orderId} is ${status} and can't be cancelled. ${refundHint(order)}`);
  }
  return { data: { orderId, status, done: true }, text: `Order ${orderId} is ${status}.` };
}

function refundHint({ orderId, status }: OrderRecord): string {
  if (status !== 'PAID' && status !== 'FINISHED') return '';
  // The goods of a paid order are still here; those of a finished one have left.
  const restock = status === 'PAID' ? ' --restock' : '';
  return `To give the money back: npm run cli -- order refund ${orderId}${restock}`;
}

/** Gives the money of an order back, and its goods into stock where that is asked for. */
export async function refund(
  context: Context,
  orderId: string,
  request: { readonly restock: boolean; readonly reason: string },
): Promise<CommandResult> {
  const before = await requireOrder(context, orderId);
  const findOrderNow = (id: string) => findOrder(context.database, id);
  const done = await refundOrder({ findOrder: findOrderNow, lifecycle: await context.lifecycle() }, orderId, request);
  const { status } = await requireOrder(context, orderId);
  const total = formatMoney({ amountMinor: before.totalAmountMinor, currency: before.currency });
  if (before.status === 'REFUNDED') {
    return { data: { orderId, status, done }, text: `Order ${orderId} was refunded before; nothing was changed.` };
  }
  return {
    data: { orderId, status, done },
    text: done
      ? `Order ${orderId} is ${status}: Stripe has accepted the refund of ${total}${request.restock ? ', and the goods are back in stock' : ''}.`
      : `The refund of order ${orderId} is under way and goes on by itself. \`order show ${orderId}\` tells how it ends.`,
  };
}

async function requireOrder({ database }: Context, orderId: string): Promise<OrderRecord> {
  const order = await findOrder(database, orderId);
  if (order === undefined) throw new CliError(exitCodes.notFound, `There is no order ${orderId}.`);
  return order;
}

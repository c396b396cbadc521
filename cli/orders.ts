import { listOrders, type OrderFilter } from '../database/order-pages.ts';
import { findOrder, type OrderRecord } from '../database/orders.ts';
import { formatMoney } from '../domain/money.ts';
import type { RefundRequest } from '../domain/order-message.ts';
import { cancelOrder } from '../api/cancel-order.ts';
import { linksElsewhere } from '../api/links-elsewhere.ts';
import { refundOrder } from '../api/refund-order.ts';
import { releaseOrder } from '../api/release-order.ts';
import type { Context } from './context.ts';
import { CliError, exitCodes } from './errors.ts';
import { operatorName } from './operator-name.ts';
import { describeOrder } from './order-text.ts';
import type { CommandResult } from './run-command.ts';
import { formatTime, table } from './text.ts';
import { describeWorkflow } from './workflow-state.ts';

/** Shows an order with its timeline, and where to look further. */
export async function showOrder(context: Context, orderId: string): Promise<CommandResult> {
  const order = await requireOrder(context, orderId);
  const workflow = await describeWorkflow(context, orderId);
  const links = linksElsewhere(context.settings.config, order);
  return { data: { ...order, workflow, links }, text: describeOrder(order, workflow, links) };
}

export async function showOrders({ database }: Context, filter: OrderFilter, limit: number): Promise<CommandResult> {
  const { orders } = await listOrders(database, filter, { limit });
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
 * Cancels an order as an operator: its Checkout Session is closed, its stock is released, and a payment that
 * arrives meanwhile is refunded.
 */
export async function cancel(context: Context, orderId: string, reason: string): Promise<CommandResult> {
  const { order, ended } = await cancelOrder(useCaseOf(context), orderId, {
    by: 'operator',
    reason,
    operator: operatorName(),
  });
  const { status } = order;
  return {
    data: { orderId, status, done: ended },
    text: ended
      ? `Order ${orderId} is ${status}.`
      : `Order ${orderId} is being cancelled. \`order show ${orderId}\` shows how it ends.`,
  };
}

/** Refunds an order, and puts its goods back into stock if requested. */
export async function refund(context: Context, orderId: string, request: RefundRequest): Promise<CommandResult> {
  const { order, outcome } = await refundOrder(useCaseOf(context), orderId, {
    ...request,
    operator: operatorName(),
  });
  const { status, totalAmountMinor: amountMinor, currency } = order;
  const restocked = request.restock ? ', and the goods are back in stock' : '';
  const text = {
    refunded: `Order ${orderId} is ${status}: Stripe has accepted the refund of ${formatMoney({ amountMinor, currency })}${restocked}.`,
    refundedBefore: `Order ${orderId} was already refunded; nothing was changed.`,
    underWay: `The refund of order ${orderId} is under way; no further action is needed. \`order show ${orderId}\` shows how it ends.`,
  }[outcome];
  return { data: { orderId, status, done: outcome !== 'underWay' }, text };
}

/** Has a paid order shipped although its payment is in doubt. */
export async function release(context: Context, orderId: string): Promise<CommandResult> {
  const { status } = await releaseOrder(useCaseOf(context), orderId, operatorName());
  return {
    data: { orderId, status },
    text: `Order ${orderId} is released: it is shipped although its payment is in doubt. \`order show ${orderId}\` shows how it goes on.`,
  };
}

/** The dependencies of the use cases that commands share with the API. */
function useCaseOf({ database, orderWorkflow, logger }: Context) {
  return { findOrder: (orderId: string) => findOrder(database, orderId), orderWorkflow, logger };
}

async function requireOrder({ database }: Context, orderId: string): Promise<OrderRecord> {
  const order = await findOrder(database, orderId);
  if (order === undefined) throw new CliError(exitCodes.notFound, `There is no order ${orderId}.`);
  return order;
}

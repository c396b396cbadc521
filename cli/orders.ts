import { listOrders, type OrderFilter } from '../database/order-pages.ts';
import { findOrder, type OrderRecord } from '../database/orders.ts';
import { formatMoney } from '../domain/money.ts';
import type { RequestedLine } from '../domain/order-lines.ts';
import { leftToRefund } from '../domain/refund.ts';
import { randomOrderId } from '../api/order-id.ts';
import { cancelOrder } from '../api/cancel-order.ts';
import { linksElsewhere } from '../api/links-elsewhere.ts';
import { refundOrder } from '../api/refund-order.ts';
import { refundPart } from '../api/refund-part.ts';
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

/** What to refund; without an amount and items all that is left. */
export type RefundOptions = {
  readonly restock: boolean;
  readonly reason: string;
  readonly amountMinor?: number | undefined;
  readonly items?: readonly RequestedLine[];
};

/** Refunds an order or a part of it, and puts the goods back into stock if requested. */
export async function refund(context: Context, orderId: string, options: RefundOptions): Promise<CommandResult> {
  const { amountMinor, items, restock, reason } = options;
  const request = { restock, reason, operator: operatorName() };
  const refundId = randomOrderId();
  const useCase = useCaseOf(context);
  const { order, outcome } = await (items !== undefined
    ? refundPart(useCase, orderId, refundId, { ...request, items })
    : amountMinor !== undefined
      ? refundPart(useCase, orderId, refundId, { ...request, amountMinor })
      : refundOrder(useCase, orderId, request));
  const { status, currency } = order;
  const money = (minor: number) => formatMoney({ amountMinor: minor, currency });
  const part = order.refunds.find((row) => row.refundId === refundId);
  const refunded = (part ?? order.refunds.findLast(({ isWhole }) => isWhole))?.amountMinor ?? order.totalAmountMinor;
  const restocked = restock ? ', and the goods are back in stock' : '';
  const left = part === undefined ? '' : ` ${money(leftToRefund(order.keptAmountMinor, order.refunds))} are left.`;
  const text = {
    refunded: `Order ${orderId} is ${status}: Stripe has accepted the refund of ${money(refunded)}${restocked}.${left}`,
    refundedBefore: `Order ${orderId} was already refunded; nothing was changed.`,
    underWay: `The refund of order ${orderId} is under way; no further action is needed. \`order show ${orderId}\` shows how it ends.`,
  }[outcome];
  return { data: { orderId, status, refundId: part?.refundId ?? null, done: outcome !== 'underWay' }, text };
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

import type { RefundPartResult } from '../contracts/messages.ts';
import type { OrderRecord } from '../database/orders.ts';
import { formatMoney } from '../domain/money.ts';
import { unreachable } from '../domain/must.ts';
import { canRefundPart, isSamePart, leftToRefund, type PartRefundRequest, type PartRefusal } from '../domain/refund.ts';
import { type Dependencies, readAnyOrder } from './dependencies.ts';
import { ApiError, invalidRequest } from './errors.ts';
import { notRefundable, type RefundedOrder } from './refund-order.ts';

/**
 * Refunds a part of an order's payment for an operator: an amount, or pieces of its lines. For the route and for the
 * command line.
 *
 * @param refundId the same each time that the refund is asked for: asked again it changes nothing
 * @throws ApiError 1000 for items that the order has not, 2000 for an unknown order, 2002 if the id stands for another
 *   refund, 2004 if it can't be refunded; that says what is left
 */
export async function refundPart(
  dependencies: Pick<Dependencies, 'findOrder' | 'logger'> & {
    readonly orderWorkflow: Pick<Dependencies['orderWorkflow'], 'refundPart'>;
  },
  orderId: string,
  refundId: string,
  request: PartRefundRequest & { readonly operator: string },
): Promise<RefundedOrder> {
  const before = await readAnyOrder(dependencies, orderId);
  const known = before.refunds.find((refund) => refund.refundId === refundId);
  if (known !== undefined && !isSamePart(known, request)) throw otherRequest(before);
  if (known?.state === 'accepted') return { order: before, outcome: 'refundedBefore' };
  if (!canRefundPart(before.status)) throw notRefundable(before, `is ${before.status}`);
  const asked = await dependencies.orderWorkflow.refundPart(orderId, refundId, request);
  const outcome = asked.outcome === 'underWay' ? 'underWay' : asked.result.outcome;
  dependencies.logger.info({ orderId, refundId, operator: request.operator, outcome }, 'Refund of a part answered');
  const order = await readAnyOrder(dependencies, orderId);
  if (asked.outcome === 'underWay') return { order, outcome: 'underWay' };
  return { order, outcome: refundedOrThrow(order, refundId, asked.result, request) };
}

function refundedOrThrow(
  order: OrderRecord,
  refundId: string,
  result: RefundPartResult,
  request: PartRefundRequest,
): 'refunded' {
  switch (result.outcome) {
    case 'refunded': {
      // Of two different requests under one key at the same time, the second has waited for the first one.
      const made = order.refunds.find((refund) => refund.refundId === refundId);
      if (made !== undefined && !isSamePart(made, request)) throw otherRequest(order);
      return 'refunded';
    }
    case 'otherRequest':
      throw otherRequest(order);
    case 'disputed':
      throw notRefundable(order, 'is disputed at the bank, and Stripe refunds nothing before the bank has decided');
    case 'failed': {
      const failed = order.refunds.find((refund) => refund.refundId === refundId);
      throw notRefundable(
        order,
        `has less left at Stripe than was known (${failed?.failureReason ?? 'see its timeline'})`,
      );
    }
    case 'refused':
      throw refusalError(order, result.refusal);
    default:
      return unreachable(result);
  }
}

function otherRequest({ orderId, traceId }: OrderRecord): ApiError {
  return new ApiError(
    'keyReused',
    `The Idempotency-Key came before with another refund of order ${orderId}; use a new key for a new refund`,
    { data: { order_id: orderId }, traceId },
  );
}

function refusalError(order: OrderRecord, refusal: PartRefusal): ApiError {
  const { orderId, currency, traceId } = order;
  const money = (amountMinor: number) => formatMoney({ amountMinor, currency });
  switch (refusal.reason) {
    case 'notRefundable':
      return notRefundable(order, `is ${refusal.status}`);
    case 'unknownItems':
      return invalidRequest(
        [{ path: 'items', problem: `names what order ${orderId} has not: ${refusal.itemIds.join(', ')}` }],
        traceId,
      );
    case 'notChargeable':
      return invalidRequest([{ path: 'amount_minor', problem: `is refused by Stripe: ${refusal.why}` }], traceId);
    case 'tooMuch': {
      const asked = order.refunds.filter(({ state }) => state === 'asked');
      const underWay =
        asked.length === 0
          ? ''
          : `, since ${asked.map(({ amountMinor }) => money(amountMinor)).join(' and ')} are being refunded`;
      return notRefundable(
        order,
        `has ${money(refusal.leftMinor)} left to refund${underWay}; ${money(refusal.wantedMinor)} are more`,
      );
    }
    case 'tooManyPieces': {
      const told = refusal.pieces.map(
        ({ itemId, wanted, left }) => `${wanted} of ${itemId} are wanted, ${left} are left`,
      );
      return notRefundable(order, `has not so many pieces left to refund: ${told.join('; ')}`, {
        items: refusal.pieces.map(({ itemId, wanted, left }) => ({ item_id: itemId, wanted, left })),
      });
    }
    case 'leavesNothing':
      return notRefundable(
        order,
        `has no more left than ${money(leftToRefund(order.keptAmountMinor, order.refunds))} and is not shipped yet; refund it as a whole, which calls its shipment off`,
      );
    case 'beingShipped':
      return notRefundable(
        order,
        'is being shipped, so nothing of it can be put back into stock now; refund without restock, or once the goods have come back',
      );
    default:
      return unreachable(refusal);
  }
}

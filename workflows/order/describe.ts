import { ActivityFailure, ApplicationFailure, type TemporalFailure } from '@temporalio/workflow';
import type { Refusal, TimelineData } from '../../contracts/messages.ts';
import type { OrderLine } from '../../domain/order-lines.ts';
import type { Doubt, Note } from '../../domain/charge.ts';
import { formatMoney, totalOf } from '../../domain/money.ts';
import { unreachable } from '../../domain/must.ts';

/** An order's lines and total in words: `20 × Pencil, 5 × Book; $45.00`. */
export function describeItems(lines: readonly OrderLine[]): string {
  return `${lines.map((line) => `${line.quantity} × ${line.name}`).join(', ')}; ${formatMoney(totalOf(lines))}`;
}

/** The data of a timeline entry that names the operator who asked for it. */
export function writtenBy(operator: string | undefined): TimelineData {
  return operator === undefined ? {} : { by: operator };
}

/** Why an order was not created, for Temporal's Web UI. */
export function describeRefusal(refusal: Refusal): string {
  switch (refusal.reason) {
    case 'outOfStock': {
      const shortages = refusal.shortages.map(
        ({ itemId, wanted, available }) => `${wanted} of ${itemId} wanted, ${available} available`,
      );
      return `Refused: out of stock: ${shortages.join('; ')}.`;
    }
    case 'unknownItem':
      return `Refused: unknown or not on sale: ${refusal.itemIds.join(', ')}.`;
    case 'mixedCurrencies':
      return `Refused: an order has one currency, but its items have ${refusal.currencies.join(' and ')}.`;
    case 'tooManyOrders':
      return `Refused: the ${refusal.of} has ${refusal.open.orders} unpaid orders that hold ${refusal.open.pieces} pieces.`;
    case 'orderExists':
      return 'Refused: another run has already created this order.';
    case 'tooLate':
      return 'Refused: the order could not be created in time.';
    default:
      return unreachable(refusal);
  }
}

/**
 * Why Stripe refuses to create a payment, by its error code, in words for the customer; Stripe's own are for the shop.
 */
const PAYMENT_REFUSALS: ReadonlyMap<unknown, string> = new Map([
  ['amount_too_small', 'the total is below the minimum that can be paid'],
  ['amount_too_large', 'the total is above the maximum that can be paid'],
]);

export function describePaymentRefusal(failure: TemporalFailure): string {
  const cause = failure instanceof ActivityFailure ? failure.cause : failure;
  const code = cause instanceof ApplicationFailure ? cause.details?.[0] : undefined;
  return PAYMENT_REFUSALS.get(code) ?? 'the shop has been told';
}

/** The timeline's note while Stripe refuses a refund. */
export function noteRefundDelayed(paymentIntentId: string, why: 'refused' | 'disputed'): Note {
  return {
    source: `refund.delayed:${paymentIntentId}`,
    event: 'refund.delayed',
    detail:
      why === 'disputed'
        ? 'The refund waits until the bank has decided the dispute.'
        : 'The refund takes longer than usual; the shop is looking after it.',
  };
}

const DOUBTS: Readonly<Record<Doubt, string>> = {
  disputed: 'the payment is disputed at the bank',
  in_review: 'the payment is in review at Stripe',
  fraud_warning: "the card's bank suspects fraud",
  part_refunded: 'part of the payment was refunded',
};

/** The timeline's note on a paid order whose shipment is held. */
export function noteHeld(found: readonly Doubt[]): Note {
  return {
    source: `fulfillment.held:${found.join('+')}`,
    event: 'fulfillment.held',
    detail: `The shipment waits: ${found.map((doubt) => DOUBTS[doubt]).join(', and ')}.`,
    alarm: true,
  };
}

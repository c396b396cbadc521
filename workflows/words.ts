import { ActivityFailure, ApplicationFailure, type TemporalFailure } from '@temporalio/workflow';
import type { Refusal } from '../contracts/messages.ts';
import type { OrderLine } from '../domain/order-lines.ts';
import { formatMoney, totalOf } from '../domain/money.ts';
import { unreachable } from '../domain/must.ts';

/** An order's lines and total in words: `20 × Pencil, 5 × Book; $45.00`. */
export function describeItems(lines: readonly OrderLine[]): string {
  return `${lines.map((line) => `${line.quantity} × ${line.name}`).join(', ')}; ${formatMoney(totalOf(lines))}`;
}

/** Why an order was not made, for Temporal's Web UI. */
export function describeRefusal(refusal: Refusal): string {
  switch (refusal.reason) {
    case 'outOfStock': {
      const shortages = refusal.shortages.map(
        ({ itemId, wanted, available }) => `${wanted} of ${itemId} wanted, ${available} available`,
      );
      return `Refused: out of stock: ${shortages.join('; ')}.`;
    }
    case 'unknownItem':
      return `Refused: unknown items: ${refusal.itemIds.join(', ')}.`;
    case 'mixedCurrencies':
      return `Refused: an order has one currency, but its items have ${refusal.currencies.join(' and ')}.`;
    case 'orderExists':
      return 'Refused: another run made this order before.';
    case 'tooLate':
      return 'Refused: the order could not be made in time.';
    default:
      return unreachable(refusal);
  }
}

/** Why Stripe makes no payment for an order, by its error code, in words for a customer; its own are for the shop. */
const PAYMENT_REFUSALS: ReadonlyMap<unknown, string> = new Map([
  ['amount_too_small', 'the total is below the least that can be paid'],
  ['amount_too_large', 'the total is above the most that can be paid'],
]);

export function describePaymentRefusal(failure: TemporalFailure): string {
  const cause = failure instanceof ActivityFailure ? failure.cause : failure;
  const code = cause instanceof ApplicationFailure ? cause.details?.[0] : undefined;
  return PAYMENT_REFUSALS.get(code) ?? 'the shop has been told';
}

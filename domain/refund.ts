/**
 * The sums of refunds, as pure functions: what is left to refund, and what a refund of some pieces comes to. What is left
 * is what the shop has of the payment less what is asked for and not decided at Stripe yet.
 */
import { DID_NOT_ARRIVE, type Refund } from './charge.ts';
import { formatMoney, type Money, totalOf, whyAmountIsNotChargeable } from './money.ts';
import type { RefundRequest } from './order-message.ts';
import { mergeLines, type OrderLine, type RequestedLine } from './order-lines.ts';
import type { OrderStatus } from './order-status.ts';

/** `asked`: Stripe has not accepted it yet. `failed`: it did not reach the customer, so its amount can be refunded again. */
export const refundStates = ['asked', 'accepted', 'failed'] as const;
export type RefundState = (typeof refundStates)[number];

/** A refund of a part: of an amount, or of pieces at the price that they were sold for. */
export type PartRefundRequest = RefundRequest &
  ({ readonly amountMinor: number; readonly items?: never } | { readonly items: readonly RequestedLine[] });

/** What has to be known of a refund to say what is left. */
export type KnownRefund = {
  readonly amountMinor: number;
  readonly state: RefundState;
  /** The pieces that it is the price of; null if it is of an amount. */
  readonly items: readonly RequestedLine[] | null;
};

/** Why a part is not refunded. Nothing was changed. */
export type PartRefusal =
  | { readonly reason: 'notRefundable'; readonly status: OrderStatus }
  | { readonly reason: 'unknownItems'; readonly itemIds: readonly string[] }
  | { readonly reason: 'notChargeable'; readonly why: string }
  | { readonly reason: 'tooMuch'; readonly wantedMinor: number; readonly leftMinor: number; readonly currency: string }
  | {
      readonly reason: 'tooManyPieces';
      readonly pieces: readonly { readonly itemId: string; readonly wanted: number; readonly left: number }[];
    }
  /** A paid order of which nothing would be left is not to be shipped: that is a refund of the whole order. */
  | { readonly reason: 'leavesNothing' }
  /** The goods are on their way, so none of them can be kept back. */
  | { readonly reason: 'beingShipped' };

/** Returns what can still be refunded, in minor units. */
export function leftToRefund(keptAmountMinor: number, refunds: readonly KnownRefund[]): number {
  const asked = refunds.filter(({ state }) => state === 'asked').reduce((sum, refund) => sum + refund.amountMinor, 0);
  return Math.max(0, keptAmountMinor - asked);
}

/** Returns how many pieces of each line were not refunded as pieces yet. */
function piecesLeft(lines: readonly RequestedLine[], refunds: readonly KnownRefund[]): Map<string, number> {
  const left = new Map(lines.map(({ itemId, quantity }) => [itemId, quantity]));
  for (const { state, items } of refunds) {
    if (state === 'failed') continue;
    for (const { itemId, quantity } of items ?? []) left.set(itemId, (left.get(itemId) ?? 0) - quantity);
  }
  return left;
}

/** Whether an order in this status can have money that is to be refunded in parts. */
export function canRefundPart(status: OrderStatus): boolean {
  return status === 'PAID' || status === 'FINISHED' || status === 'REFUNDED';
}

type OrderToRefund = {
  readonly status: OrderStatus;
  readonly currency: string;
  readonly lines: readonly Pick<OrderLine, 'itemId' | 'quantity' | 'unitAmountMinor'>[];
  readonly keptAmountMinor: number;
  readonly refunds: readonly KnownRefund[];
  readonly isBeingShipped: boolean;
};

/** Decides on a refund of a part: returns what it comes to in minor units, or why it is not made. */
export function decidePart(
  order: OrderToRefund,
  request: PartRefundRequest,
): { readonly amountMinor: number } | { readonly refusal: PartRefusal } {
  const { status, currency, lines, refunds } = order;
  if (!canRefundPart(status)) return { refusal: { reason: 'notRefundable', status } };
  const wanted = mergeLines(request.items ?? []);
  const refusal = refusePieces(order, wanted);
  if (refusal !== undefined) return { refusal };
  const amountMinor = request.items === undefined ? request.amountMinor : priceOf(lines, wanted, currency);
  const why = whyAmountIsNotChargeable({ amountMinor, currency });
  if (why !== undefined) return { refusal: { reason: 'notChargeable', why } };
  const leftMinor = leftToRefund(order.keptAmountMinor, refunds);
  if (amountMinor > leftMinor) return { refusal: { reason: 'tooMuch', wantedMinor: amountMinor, leftMinor, currency } };
  if (status === 'PAID') {
    if (amountMinor === leftMinor) return { refusal: { reason: 'leavesNothing' } };
    if (request.restock && order.isBeingShipped) return { refusal: { reason: 'beingShipped' } };
  }
  return { amountMinor };
}

function refusePieces({ lines, refunds }: OrderToRefund, wanted: readonly RequestedLine[]): PartRefusal | undefined {
  const left = piecesLeft(lines, refunds);
  const itemIds = wanted.map(({ itemId }) => itemId).filter((itemId) => !left.has(itemId));
  if (itemIds.length > 0) return { reason: 'unknownItems', itemIds };
  const pieces = wanted
    .map(({ itemId, quantity }) => ({ itemId, wanted: quantity, left: left.get(itemId) ?? 0 }))
    .filter((line) => line.wanted > line.left);
  return pieces.length > 0 ? { reason: 'tooManyPieces', pieces } : undefined;
}

/** What these pieces were sold for: the line's price times the quantity. */
function priceOf(lines: OrderToRefund['lines'], wanted: readonly RequestedLine[], currency: string): number {
  const prices = new Map(lines.map(({ itemId, unitAmountMinor }) => [itemId, unitAmountMinor]));
  const priced = wanted.map(({ itemId, quantity }) => ({
    quantity,
    unitAmountMinor: prices.get(itemId) ?? 0,
    currency,
  }));
  return totalOf(priced).amountMinor;
}

/** Whether a refund that stands under a key is the one that is asked for now. */
export function isSamePart(
  stored: Pick<KnownRefund, 'amountMinor' | 'items'> & { readonly restock: boolean; readonly reason: string | null },
  request: PartRefundRequest,
): boolean {
  if (stored.restock !== request.restock || stored.reason !== request.reason) return false;
  if (request.items === undefined) return stored.items === null && stored.amountMinor === request.amountMinor;
  return stored.items !== null && JSON.stringify(sorted(stored.items)) === JSON.stringify(sorted(request.items));
}

function sorted(items: readonly RequestedLine[]): (readonly [string, number])[] {
  return mergeLines(items)
    .map(({ itemId, quantity }) => [itemId, quantity] as const)
    .sort(([left], [right]) => (left < right ? -1 : 1));
}

/** Returns the state that Stripe's word on a refund means. */
export function stateAtStripe({ status }: Pick<Refund, 'status'>): 'accepted' | 'failed' {
  return DID_NOT_ARRIVE.has(status) ? 'failed' : 'accepted';
}

/** Says for a timeline what a refund of a part was of: `Sorry. $1.00 of $20.00 was refunded: 1 × Pencil.` */
export function describePart(
  {
    reason,
    amountMinor,
    items,
    restock,
  }: Pick<KnownRefund, 'amountMinor' | 'items'> & {
    readonly restock: boolean;
    readonly reason: string | null;
  },
  order: { readonly total: Money; readonly lines: readonly Pick<OrderLine, 'itemId' | 'name'>[] },
): string {
  const names = new Map(order.lines.map(({ itemId, name }) => [itemId, name]));
  const pieces = (items ?? []).map(({ itemId, quantity }) => `${quantity} × ${names.get(itemId) ?? itemId}`).join(', ');
  const amount = formatMoney({ amountMinor, currency: order.total.currency });
  const sentences = [
    ...(reason === null ? [] : [reason]),
    `${amount} of ${formatMoney(order.total)} was refunded${pieces === '' ? '' : `: ${pieces}`}.`,
    ...(restock ? ['These goods are back in stock.'] : []),
  ];
  return sentences.join(' ');
}

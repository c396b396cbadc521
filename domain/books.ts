/**
 * The shop's books beside Stripe's, as pure functions: whether what the rows say of a payment is what Stripe says, and the
 * sums of both.
 */
import { type Charge, hasFailedRefund, isDecided, keptOf, lostOf, notesOn } from './charge.ts';
import { formatMoney } from './money.ts';
import { isTerminal, type OrderStatus } from './order-status.ts';

/** What became of money, in minor units of one currency: kept = charged − refunded − lost in disputes. */
export type Sums = {
  readonly chargedMinor: number;
  readonly refundedMinor: number;
  readonly lostMinor: number;
  readonly keptMinor: number;
};

/** An order as its rows tell of it, with all that concerns its money. */
export type BookedOrder = {
  readonly orderId: string;
  readonly status: OrderStatus;
  readonly totalAmountMinor: number;
  /** ISO 4217, upper case. */
  readonly currency: string;
  readonly paymentIntentId: string | null;
  readonly keptAmountMinor: number;
  /** What Stripe has accepted to refund of the order's own payment, as the rows say. */
  readonly refundedMinor: number;
  /** What banks have taken back of it in disputes, as the row says. */
  readonly lostMinor: number;
  /** What the entries of its timeline come from. */
  readonly sources: readonly string[];
};

/** A payment of which the rows say something else than Stripe. */
export type Difference = {
  readonly paymentIntentId: string;
  /** The order that our key wrote into the payment, or whose row has the payment. */
  readonly orderId: string;
  /** Null if there is no such order here. */
  readonly status: OrderStatus | null;
  readonly currency: string;
  readonly atStripe: Sums;
  /** Zeros if the payment is not the order's. */
  readonly here: Sums;
  /** What happened at Stripe and is not on the order's timeline. */
  readonly untold: readonly string[];
};

export type Comparison =
  /** Money of another sale on the account. */
  | { readonly is: 'notOurs' }
  /** The order did not need the payment, and the money went back. */
  | { readonly is: 'returned' }
  | { readonly is: 'booked'; readonly currency: string; readonly sums: Sums }
  | { readonly is: 'different'; readonly difference: Difference };

const NOTHING: Sums = { chargedMinor: 0, refundedMinor: 0, lostMinor: 0, keptMinor: 0 };

/** Returns what became of a charge, by Stripe's word. */
export function sumsOf(charge: Charge): Sums {
  const { amountMinor: chargedMinor, refundedMinor } = charge;
  return {
    chargedMinor,
    refundedMinor,
    lostMinor: lossOf(chargedMinor - refundedMinor, lostOf(charge)),
    keptMinor: keptOf(charge),
  };
}

/** A bank that takes back what had been refunded before gives that back: it is not lost twice. */
function lossOf(notRefundedMinor: number, disputedMinor: number): number {
  return Math.min(notRefundedMinor, disputedMinor);
}

/** Returns what the rows say of the order's own payment. */
function sumsOfOrder({ totalAmountMinor, refundedMinor, lostMinor, keptAmountMinor }: BookedOrder): Sums {
  return {
    chargedMinor: totalAmountMinor,
    refundedMinor,
    lostMinor: lossOf(totalAmountMinor - refundedMinor, lostMinor),
    keptMinor: keptAmountMinor,
  };
}

/**
 * Compares a charge with the order that it is of.
 *
 * @param charge may hold only some of its refunds, and then only those are looked for on the timeline; its disputes are
 *   complete
 * @param order undefined if there is no order of this id or payment here
 */
export function compare(charge: Charge, order: BookedOrder | undefined): Comparison {
  const orderId = order?.orderId ?? charge.orderId;
  if (orderId === null) return { is: 'notOurs' };
  const { paymentIntentId, currency } = charge;
  const atStripe = sumsOf(charge);
  const different = (here: Sums, untold: readonly string[]): Comparison => ({
    is: 'different',
    difference: { paymentIntentId, orderId, status: order?.status ?? null, currency, atStripe, here, untold },
  });
  // Of an order that is not here, perhaps another installation's: nobody is owed anything once nothing is left.
  if (order === undefined) return atStripe.keptMinor === 0 ? { is: 'notOurs' } : different(NOTHING, []);
  const notes = notesOn(charge);
  const untold = notes.filter(({ source }) => !order.sources.includes(source)).map(({ detail }) => detail);
  if (order.paymentIntentId !== paymentIntentId || order.sources.includes(PAYMENT_REFUSED)) {
    // A refund of ours that did not arrive: the timeline tells the shop to pay it another way.
    const isToldToPay = hasFailedRefund(charge, orderId) && untold.length === 0;
    if (isToldToPay || order.sources.includes(`return:${paymentIntentId}`)) return { is: 'returned' };
    // An order that still waits does not know that it was paid, whatever became of the money since.
    const isAwaited = order.paymentIntentId === null && !isTerminal(order.status);
    return atStripe.keptMinor === 0 && !isAwaited ? { is: 'returned' } : different(NOTHING, untold);
  }
  const here = sumsOfOrder(order);
  return isSame(atStripe, here) && order.currency === currency && untold.length === 0
    ? { is: 'booked', currency, sums: here }
    : different(here, untold);
}

/** On the timeline of an order that was paid wrong: the payment it knows is one that it gave back. */
const PAYMENT_REFUSED = 'payment.refused';

/** Whether nothing more is to be expected of a charge by itself: no dispute is open, no refund on its way. */
export function isFinal({ disputes, refunds }: Pick<Charge, 'disputes' | 'refunds'>): boolean {
  return disputes.every(isDecided) && refunds.every(({ status }) => FINAL_REFUND.has(status));
}

const FINAL_REFUND: ReadonlySet<string> = new Set(['succeeded', 'failed', 'canceled']);

function isSame(left: Sums, right: Sums): boolean {
  return (
    left.chargedMinor === right.chargedMinor &&
    left.refundedMinor === right.refundedMinor &&
    left.lostMinor === right.lostMinor &&
    left.keptMinor === right.keptMinor
  );
}

/** The sums of one currency at Stripe and here. */
export type BalanceLine = { readonly currency: string; readonly atStripe: Sums; readonly here: Sums };

/** The sums of many charges. Those of other sales, and those that went back because no order needed them, are only counted. */
export type Balance = {
  readonly charges: number;
  readonly notOurs: number;
  readonly returned: number;
  readonly lines: readonly BalanceLine[];
};

export const EMPTY_BALANCE: Balance = { charges: 0, notOurs: 0, returned: 0, lines: [] };

/** Adds what a comparison has found. */
export function addTo(balance: Balance, comparison: Comparison): Balance {
  const charges = balance.charges + 1;
  switch (comparison.is) {
    case 'notOurs':
      return { ...balance, charges, notOurs: balance.notOurs + 1 };
    case 'returned':
      return { ...balance, charges, returned: balance.returned + 1 };
    case 'booked': {
      const { currency, sums } = comparison;
      return { ...balance, charges, lines: addLine(balance.lines, { currency, atStripe: sums, here: sums }) };
    }
    case 'different':
      return { ...balance, charges, lines: addLine(balance.lines, comparison.difference) };
  }
}

/** Returns the sums of two parts of the books. */
export function addBalances(left: Balance, right: Balance): Balance {
  return {
    charges: left.charges + right.charges,
    notOurs: left.notOurs + right.notOurs,
    returned: left.returned + right.returned,
    lines: right.lines.reduce(addLine, left.lines),
  };
}

function addLine(lines: readonly BalanceLine[], { currency, atStripe, here }: BalanceLine): readonly BalanceLine[] {
  const before = lines.find((line) => line.currency === currency) ?? { currency, atStripe: NOTHING, here: NOTHING };
  const line = { currency, atStripe: add(before.atStripe, atStripe), here: add(before.here, here) };
  return [...lines.filter((other) => other.currency !== currency), line].sort((one, other) =>
    one.currency < other.currency ? -1 : 1,
  );
}

function add(left: Sums, right: Sums): Sums {
  return {
    chargedMinor: left.chargedMinor + right.chargedMinor,
    refundedMinor: left.refundedMinor + right.refundedMinor,
    lostMinor: left.lostMinor + right.lostMinor,
    keptMinor: left.keptMinor + right.keptMinor,
  };
}

/** Says for an operator which payment differs, and what both sides say. */
export function describeDifference(difference: Difference): string {
  const { orderId, status, paymentIntentId, currency, atStripe, here, untold } = difference;
  const whose =
    status === null
      ? `Payment ${paymentIntentId} names order ${orderId}, which does not exist here`
      : `Order ${orderId} (${status}), payment ${paymentIntentId}`;
  const sides = `at Stripe ${inWords(atStripe, currency)}; here ${inWords(here, currency)}`;
  return `${whose}: ${sides}${untold.length === 0 ? '' : `; not on its timeline: ${untold.join(' ')}`}`;
}

function inWords({ chargedMinor, refundedMinor, lostMinor, keptMinor }: Sums, currency: string): string {
  if (chargedMinor === 0 && keptMinor === 0) return 'nothing';
  const money = (amountMinor: number) => formatMoney({ amountMinor, currency });
  const gone = [
    ...(refundedMinor === 0 ? [] : [`${money(refundedMinor)} refunded`]),
    ...(lostMinor === 0 ? [] : [`${money(lostMinor)} lost`]),
  ];
  return [`${money(chargedMinor)} charged`, ...gone, `${money(keptMinor)} kept`].join(', ');
}

/** The lists that a reconciliation goes through, one after the other. */
export const bookLists = ['charges', 'refunds', 'disputes', 'unsettled', 'differing'] as const;
export type BookList = (typeof bookLists)[number];

/** Where a reconciliation is: in which list, after which of its entries, and how often it has looked at what differs. */
export type BookPosition = { readonly list: BookList; readonly after: string | null; readonly looks: number };

export const FIRST_POSITION: BookPosition = { list: 'charges', after: null, looks: 0 };

/** What differs is looked at so often, with pauses that double, before a person is called. */
const MAX_LOOKS = 4;

/** Whether what differs at this look differs for good. */
export function isLastLook({ looks }: Pick<BookPosition, 'looks'>): boolean {
  return looks === MAX_LOOKS;
}

/**
 * Returns where a reconciliation goes on; undefined if it is done.
 *
 * @param after the last entry of the page, if the list has more
 * @param differing payments that differ by now
 */
export function nextPosition(
  { list, looks }: BookPosition,
  { after, differing }: { readonly after: string | null; readonly differing: number },
): BookPosition | undefined {
  if (after !== null) return { list, after, looks };
  if (list === 'unsettled' || list === 'differing') {
    return differing > 0 && looks < MAX_LOOKS ? { list: 'differing', after: null, looks: looks + 1 } : undefined;
  }
  const next = bookLists[bookLists.indexOf(list) + 1];
  return next === undefined ? undefined : { list: next, after: null, looks };
}

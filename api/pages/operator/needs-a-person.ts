import type { Matter } from '../../../database/desk.ts';
import type { ListedOrder } from '../../../database/order-pages.ts';
import { describeLostOrder, describeSlowOrder, isLost } from '../../order-health.ts';
import type { DeskReads } from './reads.ts';

/** More than these are counted and not told one by one: who has so many does not read a list. */
const MAX_TOLD = 30;

/** Something that waits for a person. */
export type Need = {
  readonly orderId: string;
  /** A few words. */
  readonly what: string;
  readonly message: string;
  readonly fix: string;
  readonly since: Date;
};

/** What each kind of entry means, and what a person does about it. */
const MATTERS: Readonly<Record<Matter['event'], { readonly what: string; readonly fix: string }>> = {
  'refund.failed': {
    what: 'Refund did not arrive',
    fix: 'Pay the customer in another way: the money is in your Stripe balance again.',
  },
  'payment.disputed': {
    what: 'Dispute',
    fix: 'Answer it at Stripe before its deadline. If the goods are still here, decide whether to ship them.',
  },
  'fulfillment.held': {
    what: 'Shipment held',
    fix: 'Look at the payment at Stripe. Then ship the order anyway, or call it off and refund it.',
  },
  'refund.delayed': {
    what: 'Refund refused',
    fix: 'Most often the Stripe balance is too low: top it up. The refund is tried again by itself.',
  },
  'fulfillment.delayed': {
    what: 'Shipment delayed',
    fix: 'See that the warehouse takes orders; it is asked again by itself. Or call the order off and refund it.',
  },
  'payment.in_review': {
    what: 'Review',
    fix: 'Approve or refund the payment at Stripe, under Payments, In review.',
  },
  'payment.fraud_warning': {
    what: 'Fraud warning',
    fix: 'Think of refunding the order: a dispute costs more than a refund.',
  },
};

/** Says what each entry means. A doubt that holds the order's shipment is told once, by the shipment. */
export function needsOf(matters: readonly Matter[]): Need[] {
  const held = new Set(matters.filter(({ event }) => event === 'fulfillment.held').map(({ orderId }) => orderId));
  return matters
    .filter(({ event, orderId }) => event !== 'payment.in_review' || !held.has(orderId))
    .map(({ orderId, event, detail, at }) => ({ ...MATTERS[event], orderId, message: detail, since: at }));
}

/** Returns what waits for a person, and how much more of it there is than that. */
export async function listNeeds(
  reads: DeskReads,
): Promise<{ readonly needs: readonly Need[]; readonly more: boolean }> {
  const [matters, slow] = await Promise.all([reads.listMatters(MAX_TOLD + 1), reads.listSlowOrders(MAX_TOLD + 1)]);
  const known = new Set(matters.map(({ orderId }) => orderId));
  const unexplained = slow.filter(({ orderId }) => !known.has(orderId)).slice(0, MAX_TOLD);
  const needs = [
    ...(await Promise.all(unexplained.map((order) => needOfSlow(reads, order)))),
    ...needsOf(matters.slice(0, MAX_TOLD)),
  ];
  return { needs, more: matters.length > MAX_TOLD || slow.length > MAX_TOLD };
}

/** The doctor's sentence. */
async function needOfSlow(reads: DeskReads, order: ListedOrder): Promise<Need> {
  const workflow = await reads.workflowState(order.orderId);
  const { message, fix } = isLost(order, workflow)
    ? describeLostOrder(order, workflow.found === true ? workflow.status : 'gone')
    : describeSlowOrder(order, workflow);
  return { orderId: order.orderId, what: 'Waits too long', message: `${message}.`, fix, since: order.updatedAt };
}

import { setTimeout as sleep } from 'node:timers/promises';
import { unreachable } from '../../domain/must.ts';
import type { Items } from '../invariants/shop-client.ts';
import { seededRandom } from '../stripe-sandbox/trigger.ts';
import { type HumanKind, pick } from './plan.ts';
import { ifPossible, type KnownOrder, type Shop } from './shop.ts';
import { BOOK, OPERATOR_TOKEN, PAYMENT_WINDOW_MS, PENCIL, type SoakStack } from './stack.ts';

export const OPERATOR = { authorization: `Bearer ${OPERATOR_TOKEN}` };

/** How long a customer follows an order before the next one is made. */
const FOLLOWS_FOR_MS = 15_000;
const RACE_MS = 50;
/** A card that pays, and is put in review. */
const PUT_IN_REVIEW = '4000000000009235';

/** What a customer does with an order, as often as it stands here. */
const HABITS = [
  ...Array.from({ length: 12 }, () => 'pays' as const),
  ...Array.from({ length: 3 }, () => 'cancels' as const),
  ...Array.from({ length: 2 }, () => 'paysAndCancels' as const),
  ...Array.from({ length: 2 }, () => 'walksAway' as const),
  ...Array.from({ length: 2 }, () => 'isDeclinedFirst' as const),
  ...Array.from({ length: 2 }, () => 'paysByBank' as const),
  'isReviewed' as const,
  'isReviewed' as const,
  'comesBack' as const,
  'paysInTheLastMoment' as const,
  'asksAgain' as const,
];

export type Crowd = {
  readonly stack: SoakStack;
  readonly shop: Shop;
  readonly signal: AbortSignal;
  /** Told of each thing that people do and that counts as a kind of fault. */
  readonly happened: (kind: HumanKind) => void;
};

/** One customer after the other, until the run is over. */
export async function beCustomers(crowd: Crowd, seed: number): Promise<void> {
  const random = seededRandom(seed);
  for (let number = 1; !crowd.signal.aborted; number += 1) {
    const customerId = `customer-${seed}-${number}`;
    const items: Items = [
      { itemID: PENCIL, quantity: 1 + Math.floor(random() * 3) },
      ...(random() < 0.3 ? [{ itemID: BOOK, quantity: 1 }] : []),
    ];
    const order = await crowd.shop.order(customerId, items, `key-${seed}-${number}`);
    if (order !== undefined) await behave(crowd, { ...order, items, key: `key-${seed}-${number}` }, random);
    await sleep(Math.round(random() * 400));
  }
}

async function behave(
  { stack, shop, happened }: Crowd,
  order: KnownOrder & { readonly items: Items; readonly key: string },
  random: () => number,
): Promise<void> {
  const habit = pick(HABITS, random);
  const jitterMs = Math.round((random() * 2 - 1) * RACE_MS);
  if (habit === 'cancels' && random() < 0.5) {
    await ifPossible(shop.cancel(order));
    return;
  }
  const payable = await shop.watch(order, (status) => status !== 'PENDING', FOLLOWS_FOR_MS);
  if (payable?.sessionId === undefined) return;
  const { sessionId, updatedAtMs } = payable;
  switch (habit) {
    case 'pays':
      await shop.pay(sessionId);
      return shop.untilEnded(order, FOLLOWS_FOR_MS);
    case 'cancels':
      await ifPossible(shop.cancel(order));
      return undefined;
    case 'paysAndCancels':
      happened('paymentAgainstCancel');
      await Promise.all([
        sleep(Math.max(0, jitterMs)).then(() => shop.pay(sessionId)),
        sleep(Math.max(0, -jitterMs)).then(() => ifPossible(shop.cancel(order))),
      ]);
      return shop.untilEnded(order, FOLLOWS_FOR_MS);
    case 'walksAway':
      return undefined;
    case 'isDeclinedFirst':
      await shop.pay(sessionId, { card: '4000000000000002' });
      await shop.pay(sessionId);
      return undefined;
    case 'paysByBank':
      await shop.pay(sessionId, { method: 'bank_debit' });
      await sleep(1_000 + Math.round(random() * 3_000));
      await ifPossible(stack.sandbox.settle(sessionId, random() < 0.85 ? 'succeeded' : 'failed'));
      return undefined;
    case 'isReviewed':
      await shop.pay(sessionId, { card: PUT_IN_REVIEW });
      if ((await shop.watch(order, (status) => status === 'PAID', FOLLOWS_FOR_MS)) !== undefined) {
        await decideReview({ stack, happened }, order.orderId, random);
      }
      return undefined;
    case 'comesBack':
      await shop.pay(sessionId);
      await ifPossible(shop.comeBack(order));
      return undefined;
    case 'paysInTheLastMoment':
      happened('paymentAgainstExpiry');
      await sleep(Math.max(0, updatedAtMs + PAYMENT_WINDOW_MS + jitterMs - Date.now()));
      await shop.pay(sessionId);
      return undefined;
    case 'asksAgain': {
      const again = await shop.order(order.customerId, order.items, order.key);
      if (again !== undefined && again.orderId !== order.orderId) {
        shop.broken.push(`I3: the key of order ${order.orderId} made order ${again.orderId}`);
      }
      await shop.pay(sessionId);
      return undefined;
    }
    default:
      return unreachable(habit);
  }
}

/** The goods wait for a person's word; who refunds instead must not see them leave. */
async function decideReview(
  { stack: { sandbox }, happened }: Pick<Crowd, 'stack' | 'happened'>,
  orderId: string,
  random: () => number,
): Promise<void> {
  const charge = (await ifPossible(sandbox.ledger(orderId)))?.charges.at(-1);
  if (charge === undefined) return;
  happened('dashboard');
  if (random() < 0.6) await ifPossible(sandbox.refundAtDashboard(charge.paymentIntentId ?? ''));
  else await ifPossible(sandbox.closeReview(charge.reviewId ?? '', 'approved'));
}

/** What people do at Stripe's dashboard and at the shop's, and what banks decide; to any order at any moment. */
export async function beStaff({ stack, shop, signal, happened }: Crowd, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const { sandbox } = stack;
  while (!signal.aborted) {
    await sleep(500 + Math.round(random() * 1_500));
    // Of the last ones, so that something of the order is still under way now and then.
    const order = shop.orders.at(-1 - Math.floor(random() * 40));
    if (order === undefined) continue;
    const { orderId } = order;
    const charge = (await ifPossible(sandbox.ledger(orderId)))?.charges.findLast(
      ({ status }) => status === 'succeeded',
    );
    const paymentIntentId = charge?.paymentIntentId ?? undefined;
    if (charge === undefined || paymentIntentId === undefined) continue;
    happened('dashboard');
    const dice = random();
    if (dice < 0.15) await ifPossible(sandbox.refundAtDashboard(paymentIntentId));
    else if (dice < 0.35) {
      await ifPossible(sandbox.refundAtDashboard(paymentIntentId, { amountMinor: 1 + Math.floor(random() * 50) }));
    } else if (dice < 0.5) {
      const dispute = await ifPossible(sandbox.openDispute(charge.id));
      await sleep(Math.round(random() * 2_000));
      const end = random() < 0.5 ? 'won' : 'lost';
      if (dispute !== undefined && random() < 0.8) await ifPossible(sandbox.closeDispute(dispute.id, end));
    } else if (dice < 0.65) {
      const review = await ifPossible(sandbox.openReview(charge.id));
      if (review !== undefined && random() < 0.8) await ifPossible(sandbox.closeReview(review.id, 'approved'));
    } else if (dice < 0.75) await ifPossible(sandbox.openFraudWarning(charge.id));
    else if (dice < 0.9) {
      await ifPossible(shop.post(`/api/operator/orders/${orderId}/refund`, { restock: random() < 0.5 }, OPERATOR));
    } else await ifPossible(shop.post(`/api/operator/orders/${orderId}/cancel`, {}, OPERATOR));
  }
}

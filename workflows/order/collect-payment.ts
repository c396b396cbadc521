import { CancellationScope, log, sleep, TemporalFailure } from '@temporalio/workflow';
import { totalOf } from '../../domain/money.ts';
import { must, unreachable } from '../../domain/must.ts';
import {
  awaitPayment,
  type CheckoutSession,
  type Closing,
  decidePayment,
  type PaymentNews,
} from '../../domain/payment.ts';
import type { RefundRequest } from '../../domain/order-message.ts';
import { nothingKept } from '../shared/refund.ts';
import { writtenBy } from './describe.ts';
import { handOverToAftercare } from './hand-over.ts';
import type { Order } from './order.ts';

/** The longest pause between two checks of a delayed payment, in case the event with its result was lost. */
const MAX_CHECK_INTERVAL_MS = 12 * 3_600_000;

/** WAITING_FOR_PAYMENT → PAID, or CANCELLED or EXPIRED once Stripe agrees that nothing was paid. */
export async function collectPayment(order: Order): Promise<void> {
  const { sessionId, livemode } = must(order.checkoutSession, 'the Checkout Session of an order that waits');
  const timers = new PaymentTimers(order);
  let state = awaitPayment({ orderId: order.orderId, sessionId, livemode, ...totalOf(order.lines) });
  let answer: PaymentNews | undefined;
  try {
    for (;;) {
      const news: PaymentNews = answer ?? (await order.inbox.next());
      answer = undefined;
      if (news.kind === 'checkDue') timers.checkIsOver();
      const { state: next, decision } = decidePayment(state, news);
      state = next;
      switch (decision.do) {
        case 'wait':
          if (decision.note !== undefined) await order.timeline.note(decision.note);
          break;
        case 'readSession':
          answer = toNews(await readSession(order, sessionId));
          break;
        case 'closeSession':
          answer = toNews(await closeSession(order, sessionId));
          break;
        case 'handOver':
          await handOverToAftercare(order, decision.event);
          break;
        case 'accept':
          await order.accept(
            decision.payment,
            news.kind === 'stripeEvent' ? news.event.createdMs : undefined,
            refundAfter(state.closing),
          );
          return;
        case 'refuse':
          await refuse(order, decision.paymentIntentId, decision.detail);
          return;
        case 'end':
          await order.giveBackStock();
          await order.timeline.transition(
            decision.closing.status,
            decision.closing.detail,
            {},
            writtenBy(decision.closing.operator),
          );
          return;
        default:
          unreachable(decision);
      }
      if (state.processing) timers.checkLater();
    }
  } finally {
    timers.cancel();
  }
}

/** An order that was cancelled while its payment was being made is not shipped. */
function refundAfter(closing: Closing | undefined): RefundRequest | undefined {
  if (closing?.status !== 'CANCELLED') return undefined;
  return { restock: true, reason: closing.detail, operator: closing.operator };
}

/** The timers of the payment window and of the checks of a delayed payment, one check at a time. */
class PaymentTimers {
  readonly #order: Order;
  readonly #scope = new CancellationScope();
  #nextCheckMs: number;
  #isWaiting = false;

  constructor(order: Order) {
    this.#order = order;
    this.#nextCheckMs = order.policy.paymentWindowMs;
    this.#start(order.policy.paymentWindowMs, 'windowEnded', 'The payment window');
  }

  /** Schedules the next check of a delayed payment, unless one is scheduled; each pause is twice the last one. */
  checkLater(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#start(this.#nextCheckMs, 'checkDue', 'Check the delayed payment');
    this.#nextCheckMs = Math.min(this.#nextCheckMs * 2, MAX_CHECK_INTERVAL_MS);
  }

  checkIsOver(): void {
    this.#isWaiting = false;
  }

  cancel(): void {
    this.#scope.cancel();
  }

  #start(delayMs: number, kind: 'windowEnded' | 'checkDue', summary: string): void {
    const timer = this.#scope.run(() => sleep(delayMs, { summary }));
    timer.then(
      () => this.#order.inbox.push({ kind }),
      () => {}, // cancelled: the order has its answer
    );
  }
}

function toNews(session: CheckoutSession | undefined): PaymentNews | undefined {
  return session === undefined ? undefined : { kind: 'session', session };
}

/**
 * Reads the session; undefined if Stripe does not answer soon: its event or the end of the window will bring the news.
 */
async function readSession({ activities }: Order, sessionId: string): Promise<CheckoutSession | undefined> {
  try {
    return await activities.paymentCheck.readCheckoutSession(sessionId);
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    log.warn('Stripe could not be asked about the payment; its event or the end of the window will bring the news', {
      error,
    });
    return undefined;
  }
}

async function closeSession({ activities }: Order, sessionId: string): Promise<CheckoutSession> {
  return activities.payment.closeCheckoutSession.executeWithOptions({ summary: 'Close the payment page' }, [sessionId]);
}

/** Refunds a payment that does not match the order, and ends the order. */
async function refuse(order: Order, paymentIntentId: string, detail: string): Promise<void> {
  await order.timeline.note({ source: 'payment.refused', event: 'payment.refused', detail, alarm: true });
  const { charge } = await order.refundPayment(paymentIntentId);
  await order.giveBackStock();
  // So that the order recognizes the payment if Stripe sends more events about it.
  order.payment = { paymentIntentId, charge: undefined, asOfMs: 0 };
  await order.timeline.transition('CANCELLED', `${detail} It was refunded in full.`, {
    paymentIntentId,
    ...nothingKept(charge),
  });
}

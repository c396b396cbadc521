import { CancellationScope, log, sleep, TemporalFailure } from '@temporalio/workflow';
import type { CreatedCheckoutSession } from '../activities/payment.ts';
import { STRIPE_REFUSED } from '../contracts/failures.ts';
import type { StripeEvent } from '../contracts/messages.ts';
import { totalOf } from '../domain/money.ts';
import { unreachable } from '../domain/must.ts';
import type { OrderLine } from '../domain/order-lines.ts';
import {
  awaitPayment,
  type CheckoutSession,
  type Closing,
  decidePayment,
  type PaymentMessage,
  type PaymentStep,
} from '../domain/payment.ts';
import { alarm } from './events.ts';
import { CREATE_PAYMENT_FOR_MS } from './activities.ts';
import { failedWith } from './failed-with.ts';
import type { Message } from './messages.ts';
import type { Order } from './order.ts';
import { withGenerations } from './refund.ts';
import { WatchedStep } from './watched-step.ts';
import { describePaymentRefusal } from './words.ts';

/** How long it takes at most until a delayed payment is asked for again, in case the event of its result was lost. */
const MAX_CHECK_INTERVAL_MS = 12 * 3_600_000;

/** PENDING → WAITING_FOR_PAYMENT; gives undefined where the order ended instead. */
export async function requestPayment(
  order: Order,
  lines: readonly OrderLine[],
): Promise<CreatedCheckoutSession | undefined> {
  const { orderId, successUrl, cancelUrl, traceparent } = order.input;
  const scope = new CancellationScope();
  const request = { orderId, lines, successUrl, cancelUrl, traceparent };
  const creating = new WatchedStep(
    scope.run(() =>
      withGenerations(
        (generation, elapsedMs) =>
          order.activities.paymentRequest.createCheckoutSession.executeWithOptions(
            { scheduleToCloseTimeout: Math.max(CREATE_PAYMENT_FOR_MS - elapsedMs, 1_000) },
            [{ ...request, generation }],
          ),
        { giveUpAfterMs: CREATE_PAYMENT_FOR_MS },
      ),
    ),
  );
  // A cancel does not wait for a Stripe that is away. It only stops the activity: whether a link was made is the
  // activity's to say.
  if (!(await creating.settledBefore(() => order.cancelRequest !== undefined))) scope.cancel();
  try {
    const session = await creating.result;
    await order.journal.transition(
      'WAITING_FOR_PAYMENT',
      'The payment link is ready; the order waits for its payment.',
      {
        checkoutSessionId: session.sessionId,
        paymentLink: session.url,
      },
    );
    return session;
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    await order.end({ status: 'CANCELLED', detail: whyNoPayment(order, error) });
    return undefined;
  }
}

function whyNoPayment(order: Order, error: TemporalFailure): string {
  if (order.cancelRequest !== undefined) return order.cancelRequest.reason;
  alarm('no payment could be created, so the order is cancelled', { error });
  return failedWith(error, STRIPE_REFUSED)
    ? `The payment service refused the payment, so the order was cancelled: ${describePaymentRefusal(error)}.`
    : 'No payment could be created for hours, so the order was cancelled.';
}

/** WAITING_FOR_PAYMENT → PAID; gives false where the order ended instead. */
export async function collectPayment(
  order: Order,
  lines: readonly OrderLine[],
  { sessionId, livemode }: CreatedCheckoutSession,
): Promise<boolean> {
  const { orderId, paymentWindowMs } = order.input;
  let state = awaitPayment({ orderId, sessionId, livemode, ...totalOf(lines) });
  let check = { waiting: false, intervalMs: paymentWindowMs };
  const timers = new CancellationScope();
  const startTimer = (delayMs: number, kind: 'windowEnded' | 'checkDue', summary: string) => {
    const timer = timers.run(() => sleep(delayMs, { summary }));
    timer.then(
      () => order.inbox.push({ kind }),
      () => {}, // cancelled: the order has its answer
    );
  };
  startTimer(paymentWindowMs, 'windowEnded', 'The payment window');
  try {
    for (;;) {
      const received = await order.inbox.next();
      if (received.kind === 'checkDue') check = { waiting: false, intervalMs: nextInterval(check.intervalMs) };
      const message = toPaymentMessage(received);
      if (message === undefined) {
        if (received.kind === 'stripeEvent') await order.settle(received.event);
        continue;
      }
      let decision = decidePayment(state, message);
      while (decision.step.do === 'readSession' || decision.step.do === 'closeSession') {
        const session = await askStripe(order, decision.step.do, sessionId);
        if (session === undefined) decision = { state: decision.state, step: { do: 'wait' } };
        else decision = decidePayment(decision.state, { kind: 'session', session });
      }
      state = decision.state;
      const outcome = await carryOut(order, decision.step, state.closing);
      if (outcome !== 'waiting') return outcome === 'paid';
      if (state.processing && !check.waiting) {
        check = { ...check, waiting: true };
        startTimer(check.intervalMs, 'checkDue', 'Ask again for the delayed payment');
      }
    }
  } finally {
    timers.cancel();
  }
}

function nextInterval(intervalMs: number): number {
  return Math.min(intervalMs * 2, MAX_CHECK_INTERVAL_MS);
}

/** What a message says about the payment; undefined where it is about something else. */
function toPaymentMessage(message: Message): PaymentMessage | undefined {
  switch (message.kind) {
    case 'cancel':
      return { kind: 'close', closing: { status: 'CANCELLED', detail: message.request.reason } };
    case 'windowEnded':
      return {
        kind: 'close',
        closing: { status: 'EXPIRED', detail: 'The order was not paid in time. Nothing was charged.' },
      };
    case 'checkDue':
      return { kind: 'checkDue' };
    case 'refund':
      return undefined; // refused by its validator before the order is paid
    case 'stripeEvent':
      return toPaymentEvent(message.event);
    default:
      return unreachable(message);
  }
}

function toPaymentEvent(event: StripeEvent): PaymentMessage | undefined {
  switch (event.kind) {
    case 'session':
      return { kind: 'session', session: event.session };
    case 'declined':
      return { kind: 'declined', code: event.code };
    default:
      return undefined;
  }
}

/** Asks Stripe for the session; undefined where nothing depends on the answer and Stripe does not give it soon. */
async function askStripe(
  order: Order,
  how: 'readSession' | 'closeSession',
  sessionId: string,
): Promise<CheckoutSession | undefined> {
  if (how === 'closeSession') {
    return order.activities.payment.closeCheckoutSession.executeWithOptions({ summary: 'Close the payment page' }, [
      sessionId,
    ]);
  }
  try {
    return await order.activities.paymentCheck.readCheckoutSession(sessionId);
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    log.warn('Stripe could not be asked about the payment; its event or the end of the window will tell', { error });
    return undefined;
  }
}

async function carryOut(
  order: Order,
  step: PaymentStep,
  closing: Closing | undefined,
): Promise<'paid' | 'ended' | 'waiting'> {
  switch (step.do) {
    case 'accept':
      await order.accept(step.paymentIntentId);
      if (closing?.status !== 'CANCELLED') return 'paid';
      await order.refund(`${closing.detail} The payment that came meanwhile was given back in full.`);
      return 'ended';
    case 'refuse':
      alarm(step.detail);
      await order.refusePayment(step.paymentIntentId, step.detail);
      return 'ended';
    case 'end':
      await order.end(step.closing);
      return 'ended';
    case 'wait':
      if (step.warning !== undefined) log.warn(step.warning);
      if (step.note !== undefined) await order.journal.note(step.note.event, step.note.detail);
      return 'waiting';
    default:
      throw new Error(`The step ${step.do} is taken before`);
  }
}

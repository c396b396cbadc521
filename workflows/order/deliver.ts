import {
  ActivityFailure,
  CancellationScope,
  condition,
  log,
  TemporalFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import { type FulfillmentResult } from '../../contracts/messages.ts';
import {
  describeWayBack,
  type Doubt,
  doubtsAbout,
  keptOf,
  notesOn,
  type WayBack,
  wayBackOf,
} from '../../domain/charge.ts';
import { must, unreachable } from '../../domain/must.ts';
import {
  type OrderMessage,
  REFUND_REQUESTED,
  type RefundRequest,
  type ReleaseRequest,
} from '../../domain/order-message.ts';
import type { StripeEvent } from '../../domain/stripe-event.ts';
import { alarm } from '../shared/report.ts';
import { nothingKept, pauseAfter } from '../shared/refund.ts';
import { noteHeld, writtenBy } from './describe.ts';
import { handOverToAftercare } from './hand-over.ts';
import type { KnownPayment, Order } from './order.ts';
import { settledBefore } from './settled-before.ts';

/** What Stripe said of the money is believed for so long; after that it is asked again before goods leave. */
const BELIEVED_FOR_MS = 60_000;
/** One attempt to ship, with the way to the service and back. It does not begin on what is about to be too old. */
const ATTEMPT_MS = 15_000;

const RELEASED = 'fulfillment.released';

/**
 * PAID → FINISHED; or REFUNDED if the order can't be shipped, somebody wants the money refunded while the shipment can be
 * called off, or the money has gone back already. Never ships what is not paid: news of refunds, disputes, reviews and
 * fraud warnings stop the shipment, and what is known of the money is never older than a minute when goods leave.
 */
export async function deliver(order: Order): Promise<void> {
  const beganAtMs = Date.now();
  let end: Shipped | Undelivered | undefined;
  while (end === undefined) {
    end = (await whyNotToShip(order)) ?? (await tryToShip(order, beganAtMs));
  }
  if ('trackingNumber' in end) await finish(order, end.trackingNumber);
  else await undo(order, end);
  // What came in when it no longer mattered for the order may still matter to the shop.
  if (order.chargeNews !== undefined) await handOverToAftercare(order, order.chargeNews);
}

type Shipped = Extract<FulfillmentResult, { outcome: 'shipped' }>;
/** Why the order is not to be delivered: its money is to be refunded, or has gone back. */
type Undelivered = { readonly refund: RefundRequest } | { readonly wayBack: WayBack };

/** Waits until nothing is known that keeps the order from being shipped. Returns why it is not to be shipped at all. */
async function whyNotToShip(order: Order): Promise<Undelivered | undefined> {
  for (let looks = 1; ; looks += 1) {
    await receiveAll(order);
    if (order.refundRequest !== undefined) return { refund: order.refundRequest };
    await order.continueIfLong();
    if (believedForMs(order) < ATTEMPT_MS && !(await lookAtPayment(order))) continue;
    const { charge } = paymentOf(order);
    if (charge === undefined) return undefined;
    await recordCharge(order);
    const wayBack = wayBackOf(charge);
    if (wayBack !== undefined) return { wayBack };
    order.heldFor = doubtsAbout(charge).filter((doubt) => isHeldFor(order, doubt));
    if (order.heldFor.length === 0) {
      // Stripe or PostgreSQL was slow; what was read is older than it should be by now.
      if (believedForMs(order) < ATTEMPT_MS) continue;
      return undefined;
    }
    await order.timeline.note(noteHeld(order.heldFor));
    // The event that the doubt has ended may be lost.
    const forMs = pauseAfter(looks, order.policy.stripeRetryMaxMs);
    await news(order, forMs, 'The payment is in doubt; Stripe is asked again');
    setOutdated(order);
  }
}

/** A doubt that an operator has looked at holds nothing any more; one that comes up later does. */
function isHeldFor({ policy, timeline }: Order, doubt: Doubt): boolean {
  return policy.holdShipmentFor.includes(doubt) && !timeline.has(`${RELEASED}:${doubt}`);
}

/** Takes what has come in, one by one. */
async function receiveAll(order: Order): Promise<void> {
  for (let message = order.inbox.poll(); message !== undefined; message = order.inbox.poll()) {
    await receive(order, message);
  }
}

async function receive(order: Order, message: OrderMessage): Promise<void> {
  switch (message.kind) {
    case 'refund':
      order.refundRequest ??= message.request;
      break;
    case 'cancel':
      // Once the order is paid, who cancels it wants the money back and has not got the goods.
      order.refundRequest ??= { restock: true, reason: message.request.reason, operator: message.request.operator };
      break;
    case 'release':
      await release(order, message.request);
      break;
    case 'stripeEvent':
      if (isAboutPayment(order, message.event)) {
        order.chargeNews = message.event;
        setOutdated(order);
      } else await handOverToAftercare(order, message.event);
      break;
    case 'windowEnded':
    case 'checkDue':
    case 'customerReturned':
      break; // it is paid
    default:
      unreachable(message);
  }
}

function isAboutPayment({ payment }: Order, event: StripeEvent): boolean {
  return event.about === 'charge' && event.paymentIntentId === payment?.paymentIntentId;
}

/** One entry for each doubt that holds the shipment now. */
async function release(order: Order, { operator }: ReleaseRequest): Promise<void> {
  for (const doubt of order.heldFor) {
    await order.timeline.note(
      {
        source: `${RELEASED}:${doubt}`,
        event: RELEASED,
        detail: 'The shop has looked at the payment and ships the order.',
      },
      { data: writtenBy(operator) },
    );
  }
}

function paymentOf({ payment }: Order): KnownPayment {
  return must(payment, 'the payment of a paid order');
}

/** For how long what is known of the money is still believed, in ms; less than nothing if it no longer is. */
function believedForMs(order: Order): number {
  return paymentOf(order).asOfMs + BELIEVED_FOR_MS - Date.now();
}

function setOutdated(order: Order): void {
  order.payment = { ...paymentOf(order), asOfMs: 0 };
}

/** Reads at Stripe what has become of the money. Returns false if a message came first. */
async function lookAtPayment(order: Order): Promise<boolean> {
  const { paymentIntentId } = paymentOf(order);
  const askedAtMs = Date.now();
  const scope = new CancellationScope();
  const reading = scope.run(() => order.activities.payment.readCharge(paymentIntentId));
  if (!(await settledBefore(reading, () => !order.inbox.isEmpty))) {
    // A Stripe that is away does not make the order deaf to who wants it cancelled.
    scope.cancel();
    await reading.catch(() => undefined);
    return false;
  }
  const charge = await reading;
  // The clock of the worker that asked may be wrong, but it did not ask before it was told to, nor answer later than now.
  const asOfMs = Math.min(Math.max(charge.readAtMs, askedAtMs), Date.now());
  order.payment = { paymentIntentId, charge, asOfMs };
  order.chargeNews = undefined;
  return true;
}

/** Writes down what is known of the charge. */
async function recordCharge(order: Order): Promise<void> {
  const charge = must(paymentOf(order).charge, 'a charge that was read');
  const kept = { amountMinor: keptOf(charge), asOfMs: charge.readAtMs };
  for (const note of notesOn(charge)) await order.timeline.note(note, { changes: { kept } });
}

/** Waits for a message, or for so long. Returns whether one has come. */
async function news({ inbox }: Order, forMs: number, summary: string): Promise<boolean> {
  return condition(() => !inbox.isEmpty, forMs, { summary });
}

/**
 * Has the order shipped, unless a message comes first. An attempt that is under way then still says how it ended.
 *
 * @param beganAtMs when the order began to be delivered: the service is asked every few seconds at first
 * @returns undefined if it is to be tried again
 */
async function tryToShip(order: Order, beganAtMs: number): Promise<Shipped | Undelivered | undefined> {
  const { orderId, lines, policy } = order;
  order.fulfilling = true;
  const hastyForMs = beganAtMs + policy.fulfillmentRetryMs - Date.now();
  const forMs = Math.min(hastyForMs > 0 ? hastyForMs : ATTEMPT_MS, believedForMs(order));
  const scope = new CancellationScope();
  const shipping = scope.run(() => order.activities.fulfillmentFor(forMs).fulfillOrder({ orderId, lines }));
  if (!(await settledBefore(shipping, () => !order.inbox.isEmpty))) scope.cancel();
  try {
    const result = await shipping;
    if (result.outcome === 'shipped') return result;
    await receiveAll(order);
    const reason = `The order cannot be delivered: ${result.reason}.`;
    return { refund: { restock: order.refundRequest?.restock ?? true, reason } };
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    // It may only be time to look at the money again, and the service is still asked every few seconds.
    const goesOn = isTimeout(error) && Date.now() < beganAtMs + policy.fulfillmentRetryMs;
    if (order.inbox.isEmpty && !goesOn) await waitForService(order, error);
    return undefined;
  }
}

function isTimeout(error: TemporalFailure): boolean {
  return error instanceof ActivityFailure && error.cause instanceof TimeoutFailure;
}

async function waitForService(order: Order, error: TemporalFailure): Promise<void> {
  const source = 'fulfillment.delayed';
  if (!order.timeline.has(source)) {
    alarm('the order is paid and the fulfillment service does not take it', { orderId: order.orderId, error });
    const detail = 'The shipment is delayed; the shop is looking after it.';
    await order.timeline.note({ source, event: source, detail });
  }
  await news(order, order.policy.fulfillmentRetryMs, 'The fulfillment service is asked again');
}

async function finish(order: Order, trackingNumber: string): Promise<void> {
  order.trackingNumber = trackingNumber;
  const detail = `The order was shipped. Tracking number: ${trackingNumber}.`;
  await order.timeline.transition('FINISHED', detail, { trackingNumber });
}

/** Ends an order that is not to be delivered. Refunds only what will never be shipped: fulfillment has the last word. */
async function undo(order: Order, why: Undelivered): Promise<void> {
  if ('refund' in why) {
    // The decision, before anything is undone: whoever goes on with the order later carries it out.
    const detail = `${why.refund.reason} The payment is being refunded.`;
    const note = { source: `${REFUND_REQUESTED}:PAID`, event: REFUND_REQUESTED, detail };
    await order.timeline.note(note, { data: { refund: why.refund, ...writtenBy(why.refund.operator) } });
  }
  if (order.fulfilling) {
    const { orderId } = order;
    const result = await order.activities.fulfillment.callOffFulfillment({ orderId });
    if (result.outcome === 'shipped') {
      log.warn('The order was shipped before it could be called off', { orderId });
      await finish(order, result.trackingNumber);
      if ('wayBack' in why)
        await order.timeline.transition('REFUNDED', describeWayBack(why.wayBack), { kept: nothingKept() });
      else await order.timeline.note(NOT_REFUNDED);
      return;
    }
  }
  const { paymentIntentId } = paymentOf(order);
  const wayBack = 'wayBack' in why ? why.wayBack : await order.refundPayment(paymentIntentId);
  const restock = 'wayBack' in why || why.refund.restock;
  if (restock) await order.giveBackStock();
  const reason = 'wayBack' in why ? 'The order was not shipped.' : why.refund.reason;
  await order.timeline.transition('REFUNDED', `${reason} ${describeWayBack(wayBack)}`, { kept: nothingKept() });
}

const NOT_REFUNDED = {
  source: 'refund.withdrawn',
  event: 'refund.withdrawn',
  detail: 'The goods had left already, so the payment was not refunded.',
};

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
  describeRefund,
  describeWayBack,
  type Doubt,
  doubtsAbout,
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

/** Stripe's answer about the money counts as current for this long; after that it is asked again before goods leave. */
const BELIEVED_FOR_MS = 60_000;
/** One attempt to ship, round trip included. None starts if the answer about the money would expire meanwhile. */
const ATTEMPT_MS = 15_000;

const RELEASED = 'fulfillment.released';

/**
 * PAID → FINISHED; or REFUNDED if the order can't be shipped, a refund is requested while the shipment can still be
 * called off, or the money has already gone back. Never ships what is not paid: refunds, disputes, reviews and fraud
 * warnings stop the shipment, and what is known of the money is never older than a minute when goods leave.
 */
export async function deliver(order: Order): Promise<void> {
  const beganAtMs = Date.now();
  let end: Shipped | Undelivered | undefined;
  while (end === undefined) {
    end = (await whyNotToShip(order)) ?? (await tryToShip(order, beganAtMs));
  }
  if ('trackingNumber' in end) await finish(order, end.trackingNumber);
  else await undo(order, end);
  // What came too late to matter for the order may still matter to the shop.
  if (order.chargeNews !== undefined) await handOverToAftercare(order, order.chargeNews);
}

type Shipped = Extract<FulfillmentResult, { outcome: 'shipped' }>;
/** Why the order is not delivered: its payment is to be refunded, or the money has already gone back. */
type Undelivered = { readonly refund: RefundRequest } | { readonly wayBack: WayBack };

/**
 * Waits until nothing known keeps the order from being shipped. Returns the reason if it must not be shipped at all.
 */
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
      // Stripe or PostgreSQL was slow, and the answer has expired.
      if (believedForMs(order) < ATTEMPT_MS) continue;
      return undefined;
    }
    await order.timeline.note(noteHeld(order.heldFor));
    // The event that ends the doubt may be lost.
    const forMs = pauseAfter(looks, order.policy.stripeRetryMaxMs);
    await news(order, forMs, 'The payment is in doubt; Stripe is asked again');
    setOutdated(order);
  }
}

/** A doubt that an operator has released no longer holds the shipment; a new one does. */
function isHeldFor({ policy, timeline }: Order, doubt: Doubt): boolean {
  return policy.holdShipmentFor.includes(doubt) && !timeline.has(`${RELEASED}:${doubt}`);
}

/** Handles all messages in the inbox, one by one. */
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
      // Once the order is paid, cancelling it means a refund before the goods have left.
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

/** Writes one entry for each doubt that holds the shipment now. */
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

/** For how long what is known of the money still counts as current, in ms; negative if it has expired. */
function believedForMs(order: Order): number {
  return paymentOf(order).asOfMs + BELIEVED_FOR_MS - Date.now();
}

function setOutdated(order: Order): void {
  order.payment = { ...paymentOf(order), asOfMs: 0 };
}

/** Reads the charge from Stripe. Returns false if a message came first. */
async function lookAtPayment(order: Order): Promise<boolean> {
  const { paymentIntentId } = paymentOf(order);
  const askedAtMs = Date.now();
  const scope = new CancellationScope();
  const reading = scope.run(() => order.activities.payment.readCharge(paymentIntentId));
  if (!(await settledBefore(reading, () => !order.inbox.isEmpty))) {
    // While Stripe is down, the order still reacts to a request to cancel it.
    scope.cancel();
    await reading.catch(() => undefined);
    return false;
  }
  const charge = await reading;
  // The worker's clock may be wrong, but it can't have read before it was asked to, nor after now.
  const asOfMs = Math.min(Math.max(charge.readAtMs, askedAtMs), Date.now());
  order.payment = { paymentIntentId, charge, asOfMs };
  order.chargeNews = undefined;
  return true;
}

/** Writes what is known of the charge to the timeline. */
async function recordCharge(order: Order): Promise<void> {
  const charge = must(paymentOf(order).charge, 'a charge that was read');
  for (const note of notesOn(charge)) await order.timeline.note(note, { changes: { charge } });
}

/** Waits for a message, at most `forMs`. Returns whether one has come. */
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
    // It may only be time to check the money again; the service is still tried every few seconds.
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

/** Ends an order that is not delivered. Refunds only what will never be shipped: fulfillment has the last word. */
async function undo(order: Order, why: Undelivered): Promise<void> {
  if ('refund' in why) {
    // The decision is recorded before anything is undone, so that a later run carries it out.
    const detail = `${why.refund.reason} The payment is being refunded.`;
    const note = { source: `${REFUND_REQUESTED}:PAID`, event: REFUND_REQUESTED, detail };
    await order.timeline.note(note, { data: { refund: why.refund, ...writtenBy(why.refund.operator) } });
  }
  const { paymentIntentId } = paymentOf(order);
  if (order.fulfilling) {
    const { orderId } = order;
    const result = await order.activities.fulfillment.callOffFulfillment({ orderId });
    if (result.outcome === 'shipped') {
      log.warn('The order was shipped before it could be called off', { orderId });
      await finish(order, result.trackingNumber);
      if ('wayBack' in why)
        await order.timeline.transition('REFUNDED', describeWayBack(why.wayBack), nothingKept(paymentOf(order).charge));
      else await order.timeline.note(NOT_REFUNDED, { changes: { refundWithdrawn: true } });
      return;
    }
  }
  const { wayBack, charge } =
    'wayBack' in why ? { ...why, charge: paymentOf(order).charge } : await order.refundPayment(paymentIntentId);
  const restock = 'wayBack' in why || why.refund.restock;
  if (restock) await order.giveBackStock();
  const reason = 'wayBack' in why ? 'The order was not shipped.' : why.refund.reason;
  await order.timeline.transition('REFUNDED', describeRefund(reason, wayBack, restock), nothingKept(charge));
}

const NOT_REFUNDED = {
  source: 'refund.withdrawn',
  event: 'refund.withdrawn',
  detail: 'The goods had left already, so the payment was not refunded.',
};

import { CancellationScope, condition, log, TemporalFailure } from '@temporalio/workflow';
import { type FulfillmentResult } from '../../contracts/messages.ts';
import { REFUND_REQUESTED } from '../../domain/order-message.ts';
import { describeWayBack, doubtsAbout, keptOf, notesOn, type WayBack, wayBackOf } from '../../domain/charge.ts';
import { must, unreachable } from '../../domain/must.ts';
import type { OrderMessage, RefundRequest } from '../../domain/order-message.ts';
import type { StripeEvent } from '../../domain/stripe-event.ts';
import { alarm } from '../shared/report.ts';
import { pauseAfter } from '../shared/refund.ts';
import { noteHeld, writtenBy } from './describe.ts';
import { handOverToAftercare } from './hand-over.ts';
import type { KnownPayment, Order } from './order.ts';
import { settledBefore } from './settled-before.ts';

/** What Stripe said of the money is believed for so long; after that it is asked again before goods leave. */
const BELIEVED_FOR_MS = 60_000;
/** One attempt at a fulfillment service that has been away for a while, with the way to it. */
const LATE_ATTEMPT_MS = 30_000;

const RELEASED = 'fulfillment.released';

/**
 * PAID → FINISHED; or REFUNDED if the order can't be shipped, somebody wants the money refunded while the shipment can be
 * called off, or the money has gone back already. Never ships what is not paid: news of refunds, disputes, reviews and
 * fraud warnings stop the shipment, and what is known of the money is never older than a minute when goods leave.
 */
export async function deliver(order: Order): Promise<void> {
  let end: Shipped | Undelivered | undefined;
  for (let attempt = 1; end === undefined; attempt += 1) {
    end = (await whyNotToShip(order)) ?? (await tryToShip(order, attempt));
  }
  if ('trackingNumber' in end) await finish(order, end.trackingNumber);
  else await undo(order, end);
}

type Shipped = Extract<FulfillmentResult, { outcome: 'shipped' }>;
/** Why the order is not to be delivered: its money is to be refunded, or has gone back. */
type Undelivered = { readonly refund: RefundRequest } | { readonly wayBack: WayBack };

/** Waits until nothing is known that keeps the order from being shipped. Returns why it is not to be shipped at all. */
async function whyNotToShip(order: Order): Promise<Undelivered | undefined> {
  for (let looks = 1; ; looks += 1) {
    await receiveAll(order);
    if (order.refundRequest !== undefined) return { refund: order.refundRequest };
    if (isOutdated(order) && !(await lookAtPayment(order))) continue;
    const { charge } = must(order.payment, 'the payment of a paid order');
    if (charge === undefined) return undefined;
    await recordCharge(order);
    if (isOutdated(order)) continue; // PostgreSQL was slow
    const wayBack = wayBackOf(charge);
    if (wayBack !== undefined) return { wayBack };
    const doubts = doubtsAbout(charge).filter((doubt) => order.policy.holdShipmentFor.includes(doubt));
    if (doubts.length === 0 || order.timeline.has(RELEASED)) return undefined;
    await order.timeline.note(noteHeld(doubts));
    await order.continueIfLong();
    // The event that the doubt has ended may be lost.
    const forMs = pauseAfter(looks, order.policy.stripeRetryMaxMs);
    if (!(await news(order, forMs, 'The payment is in doubt; Stripe is asked again'))) setOutdated(order);
  }
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
      await order.timeline.note(
        { source: RELEASED, event: RELEASED, detail: 'The shop has looked at the payment and ships the order.' },
        { data: writtenBy(message.request.operator) },
      );
      break;
    case 'stripeEvent':
      if (isAboutPayment(order, message.event)) setOutdated(order);
      else await handOverToAftercare(order, message.event);
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

function isOutdated({ payment }: Order): boolean {
  return payment === undefined || Date.now() - payment.asOfMs >= BELIEVED_FOR_MS;
}

function setOutdated(order: Order): void {
  order.payment = { ...must(order.payment, 'the payment of a paid order'), asOfMs: 0 };
}

/** Reads at Stripe what has become of the money. Returns false if a message came first. */
async function lookAtPayment(order: Order): Promise<boolean> {
  const { paymentIntentId } = must(order.payment, 'the payment of a paid order');
  const asOfMs = Date.now();
  const scope = new CancellationScope();
  const reading = scope.run(() => order.activities.payment.readCharge(paymentIntentId));
  if (!(await settledBefore(reading, () => !order.inbox.isEmpty))) {
    // A Stripe that is away does not make the order deaf to who wants it cancelled.
    scope.cancel();
    await reading.catch(() => undefined);
    return false;
  }
  const charge = must(await reading, `the charge of payment ${paymentIntentId}`);
  order.payment = { paymentIntentId, charge, asOfMs } satisfies KnownPayment;
  return true;
}

/** Writes down what is known of the charge. */
async function recordCharge({ payment, timeline }: Order): Promise<void> {
  const charge = must(payment?.charge, 'a charge that was read');
  for (const note of notesOn(charge)) await timeline.note(note, { changes: { keptAmountMinor: keptOf(charge) } });
}

/** Waits for a message, or for so long. Returns whether one has come. */
async function news({ inbox }: Order, forMs: number, summary: string): Promise<boolean> {
  return condition(() => !inbox.isEmpty, forMs, { summary });
}

/**
 * Has the order shipped, unless a message comes first. An attempt that is under way then still says how it ended.
 *
 * @returns undefined if it is to be tried again
 */
async function tryToShip(order: Order, attempt: number): Promise<Shipped | Undelivered | undefined> {
  const { orderId, lines, policy, payment } = order;
  order.fulfilling = true;
  const believedForMs = BELIEVED_FOR_MS - (Date.now() - must(payment, 'the payment of a paid order').asOfMs);
  const forMs = Math.min(attempt === 1 ? policy.fulfillmentRetryMs : LATE_ATTEMPT_MS, believedForMs);
  const scope = new CancellationScope();
  const service = order.activities.fulfillmentFor(forMs);
  const shipping = scope.run(() => service.fulfillOrder({ orderId, lines }));
  if (!(await settledBefore(shipping, () => !order.inbox.isEmpty))) scope.cancel();
  try {
    const result = await shipping;
    if (result.outcome === 'shipped') return result;
    // It will never leave, so there is nothing to call off.
    order.fulfilling = false;
    await receiveAll(order);
    const reason = `The order cannot be delivered: ${result.reason}.`;
    return { refund: { restock: order.refundRequest?.restock ?? true, reason } };
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    if (!order.inbox.isEmpty) return undefined;
    await delayed(order, error);
    return undefined;
  }
}

async function delayed(order: Order, error: TemporalFailure): Promise<void> {
  const source = 'fulfillment.delayed';
  if (!order.timeline.has(source)) {
    alarm('the order is paid and the fulfillment service does not take it', { orderId: order.orderId, error });
    const detail = 'The shipment is delayed; the shop is looking after it.';
    await order.timeline.note({ source, event: source, detail });
  }
  await order.continueIfLong();
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
      if ('wayBack' in why) await order.timeline.transition('REFUNDED', describeWayBack(why.wayBack), GONE);
      return;
    }
  }
  const { paymentIntentId } = must(order.payment, 'the payment of a paid order');
  const wayBack = 'wayBack' in why ? why.wayBack : await order.refundPayment(paymentIntentId);
  const restock = 'wayBack' in why || why.refund.restock;
  if (restock) await order.giveBackStock();
  const reason = 'wayBack' in why ? 'The order was not shipped.' : why.refund.reason;
  await order.timeline.transition('REFUNDED', `${reason} ${describeWayBack(wayBack)}`, GONE);
}

/** Nothing of the money is left. */
const GONE = { keptAmountMinor: 0 };

import { allHandlersFinished, condition, makeContinueAsNewFunc, workflowInfo } from '@temporalio/workflow';
import type { StoredOrder } from '../../activities/orders.ts';
import {
  type CreateResult,
  type OrderPolicy,
  RECOVER_ORDER,
  type RecoverOrderInput,
  type Refusal,
  type RefundPaymentResult,
} from '../../contracts/messages.ts';
import { type Charge, type Doubt, keptOf } from '../../domain/charge.ts';
import { totalOf } from '../../domain/money.ts';
import type { OrderLine } from '../../domain/order-lines.ts';
import type { OrderMessage, RefundRequest } from '../../domain/order-message.ts';
import { isTerminal, type OrderStatus } from '../../domain/order-status.ts';
import type { Payment } from '../../domain/payment.ts';
import type { StripeEvent } from '../../domain/stripe-event.ts';
import { connectActivities } from '../shared/activities.ts';
import { hasLongHistory, refundPayment } from '../shared/refund.ts';
import { describeRefusal, noteRefundDelayed } from './describe.ts';
import { handOverToAftercare } from './hand-over.ts';
import { Inbox } from './inbox.ts';
import { Timeline } from './timeline.ts';

/** The order's payment, and what is known of its money. */
export type KnownPayment = {
  readonly paymentIntentId: string;
  /** Undefined if nothing is known but that it was paid. */
  readonly charge: Charge | undefined;
  /** When Stripe said so, in ms since 1970. */
  readonly asOfMs: number;
};

/** One order while its workflow runs: what its steps share. */
export class Order {
  readonly orderId: string;
  readonly policy: OrderPolicy;
  readonly activities = connectActivities();
  readonly inbox = new Inbox<OrderMessage>();
  readonly timeline: Timeline;
  /** The run that holds the stock: the first run's id, which survives a reset of the workflow. */
  runId = workflowInfo().firstExecutionRunId;
  /** The answer to the client; undefined until it is known. */
  created: CreateResult | undefined;
  lines: readonly OrderLine[] = [];
  checkoutSession: { readonly sessionId: string; readonly livemode: boolean } | undefined;
  payment: KnownPayment | undefined;
  /** A request to refund the paid order. */
  refundRequest: RefundRequest | undefined;
  /** Once true, the goods may leave, and it is too late to cancel. */
  fulfilling = false;
  /** Known once the goods have left. */
  trackingNumber: string | undefined;
  /** The doubts that hold the shipment; empty if it is not held. */
  heldFor: readonly Doubt[] = [];
  /** Something happened to the order's money, and Stripe has not been asked about it yet. */
  chargeNews: StripeEvent | undefined;
  /** Refunds that Stripe has refused so far. */
  refundAttempts = 0;
  /** The workflow is about to continue as a new run; callers that wait for its end are told that it is under way. */
  continuing = false;

  constructor({ orderId, policy }: { readonly orderId: string; readonly policy: OrderPolicy }) {
    this.orderId = orderId;
    this.policy = policy;
    this.timeline = new Timeline(orderId, this.activities);
  }

  /** Restores the order from its row. Whether its shipment was requested is not stored, so the goods may have left. */
  restore(stored: StoredOrder): void {
    const { requestHash, traceId, checkoutSessionId, paymentIntentId } = stored;
    this.runId = stored.runId;
    this.created = { requestHash, traceId, refusal: null };
    this.lines = stored.lines;
    if (checkoutSessionId !== null) {
      this.checkoutSession = { sessionId: checkoutSessionId, livemode: checkoutSessionId.startsWith('cs_live_') };
    }
    if (paymentIntentId !== null) this.payment = { paymentIntentId, charge: undefined, asOfMs: 0 };
    this.refundRequest = stored.requestedRefund ?? undefined;
    this.fulfilling = stored.status === 'PAID';
    this.trackingNumber = stored.trackingNumber ?? undefined;
    this.timeline.restore(stored);
  }

  get status(): OrderStatus | undefined {
    return this.timeline.status;
  }

  get ended(): boolean {
    const refused = this.created !== undefined && this.created.refusal !== null;
    return refused || this.continuing || (this.status !== undefined && isTerminal(this.status));
  }

  /** Refuses the request: there is no order, no stock is held, no row is written. */
  refuse(refusal: Refusal, request: { readonly requestHash: string; readonly traceId: string }): void {
    this.timeline.refuse(refusal.reason, describeRefusal(refusal));
    this.created = { requestHash: request.requestHash, traceId: request.traceId, refusal };
  }

  /** Releases the stock that the order holds or may hold. Idempotent, and safe if it holds nothing. */
  async giveBackStock(): Promise<void> {
    const { orderId, runId } = this;
    await this.activities.stock.giveBackStock.executeWithOptions({ summary: 'Give the stock back' }, [
      { orderId, runId },
    ]);
  }

  /**
   * Accepts the payment as the order's.
   *
   * @param toldAtMs when the event that reported it was created, in ms since 1970; undefined if Stripe was asked
   * @param refundRequest if the order was cancelled while the payment was being made. It is written in the same entry,
   *   so that a later run knows of it
   */
  async accept(payment: Payment, toldAtMs: number | undefined, refundRequest?: RefundRequest): Promise<void> {
    const { paymentIntentId, charge, isOutdated } = payment;
    // Stripe's clock may be ahead of ours; that must not make its answer count as current for longer.
    const asOfMs = Math.min(charge?.readAtMs ?? toldAtMs ?? 0, Date.now());
    this.payment = { paymentIntentId, charge, asOfMs: isOutdated ? 0 : asOfMs };
    this.refundRequest = refundRequest;
    const amountMinor = charge === undefined ? totalOf(this.lines).amountMinor : keptOf(charge);
    await this.timeline.transition(
      'PAID',
      refundRequest === undefined
        ? 'The payment has arrived; the order is being shipped.'
        : 'The payment arrived while the order was being cancelled, so the order is not shipped.',
      { paymentIntentId, kept: { amountMinor, asOfMs } },
      refundRequest === undefined ? {} : { refund: refundRequest },
    );
  }

  /** Refunds the order's payment, or one that it refuses, however long Stripe takes. A message ends a pause early. */
  async refundPayment(paymentIntentId: string): Promise<RefundPaymentResult> {
    return refundPayment(this.activities, {
      orderId: this.orderId,
      paymentIntentId,
      longestPauseMs: this.policy.stripeRetryMaxMs,
      attempts: this.refundAttempts,
      onRefused: async (attempts, why) => {
        this.refundAttempts = attempts;
        await this.timeline.note(noteRefundDelayed(paymentIntentId, why));
        // What came in while Stripe was asked may have changed its answer.
        if (await this.#handOverAll()) return 'now';
        await this.continueIfLong();
        return 'later';
      },
      pause: async (forMs) => {
        await condition(() => !this.inbox.isEmpty, forMs, { summary: 'Before Stripe is asked again' });
        await this.#handOverAll();
      },
    });
  }

  /**
   * While the money is on its way back, no message changes anything for the order itself; aftercare gets the events.
   */
  async #handOverAll(): Promise<boolean> {
    const isEmpty = this.inbox.isEmpty;
    for (let message = this.inbox.poll(); message !== undefined; message = this.inbox.poll()) {
      if (message.kind === 'stripeEvent') await handOverToAftercare(this, message.event);
    }
    return !isEmpty;
  }

  /**
   * Continues as a new run if the history has grown long and nothing is under way; the new run reads the order from its
   * row. Call it only at points that {@link restore} leads back to.
   */
  async continueIfLong(): Promise<void> {
    if (!hasLongHistory()) return;
    this.continuing = true;
    await condition(allHandlersFinished);
    // Nothing may be awaited between this check and the end: messages that arrive then would be lost.
    if (this.inbox.isEmpty) {
      const { orderId, policy, refundAttempts } = this;
      const continueAsRecovery = makeContinueAsNewFunc<(input: RecoverOrderInput) => Promise<unknown>>({
        workflowType: RECOVER_ORDER,
      });
      await continueAsRecovery({ orderId, policy, refundAttempts });
    }
    this.continuing = false;
  }
}

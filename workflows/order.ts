import { condition, workflowInfo } from '@temporalio/workflow';
import type { LostOrder } from '../activities/orders.ts';
import type { CancelRequest, CreateResult, OrderLifecycleInput, Refusal, StripeEvent } from '../contracts/messages.ts';
import { decideAftercare } from '../domain/aftercare.ts';
import { isTerminal, type OrderStatus } from '../domain/order-status.ts';
import type { Closing } from '../domain/payment.ts';
import { connectActivities } from './activities.ts';
import { carryOutAftercare } from './aftercare-steps.ts';
import { alarm } from './events.ts';
import { Inbox } from './inbox.ts';
import { Journal } from './journal.ts';
import type { Message } from './messages.ts';
import { refundPaymentAfterDisputes } from './refund.ts';
import { describeRefusal } from './words.ts';

/** The steps that have something to undo. */
type Undoable = 'stock' | 'payment';

/** One order while its workflow runs: what its steps share. */
export class Order {
  readonly input: OrderLifecycleInput;
  /** The run that holds the stock: the first one's id, which stays when an operator resets the workflow. */
  readonly runId: string;
  readonly activities = connectActivities();
  readonly inbox = new Inbox<Message>();
  readonly journal: Journal;
  /** What the client is told; undefined until that is known. */
  created: CreateResult | undefined;
  /** From here on the goods may leave, and a cancel comes too late. */
  fulfilling = false;
  /** Known once the goods have left. */
  trackingNumber: string | undefined;
  #paymentIntentId: string | null = null;
  /** Payments that are not the order's, and were given back. */
  readonly #returned = new Set<string>();
  readonly #compensations: { readonly undoes: Undoable; readonly undo: () => Promise<void> }[] = [];

  /** @param lost what is known of an order that is taken up again; a new one has nothing yet */
  constructor(input: OrderLifecycleInput, lost?: LostOrder) {
    this.input = input;
    this.runId = lost?.runId ?? workflowInfo().firstExecutionRunId;
    this.journal = new Journal(input.orderId, this.activities, lost);
    if (lost === undefined) return;
    this.created = { requestHash: input.requestHash, traceId: input.traceId, refusal: null };
    this.giveBackStockLater();
    if (lost.paymentIntentId !== null) {
      this.giveBackMoneyOf(lost.paymentIntentId);
      this.#paymentIntentId = lost.paymentIntentId;
    }
  }

  get status(): OrderStatus | undefined {
    return this.journal.status;
  }

  get ended(): boolean {
    const refused = this.created !== undefined && this.created.refusal !== null;
    return refused || (this.status !== undefined && isTerminal(this.status));
  }

  /** Registers what undoes a step; to be called before the step, since the step may happen and its answer be lost. */
  #undoWith(undoes: Undoable, undo: () => Promise<void>): void {
    this.#compensations.push({ undoes, undo });
  }

  /** Undoes what was done, the last step first; all of it, or all but what is to be kept. */
  async compensate(keep?: Undoable): Promise<void> {
    for (let last = this.#compensations.at(-1); last !== undefined; last = this.#compensations.at(-1)) {
      if (last.undoes !== keep) await last.undo();
      // Only now: what fails is not forgotten.
      this.#compensations.pop();
    }
  }

  /** There is no order: nothing is held, no row is written. */
  refuse(refusal: Refusal): void {
    const { requestHash, traceId } = this.input;
    this.journal.refuse(refusal.reason, describeRefusal(refusal));
    this.created = { requestHash, traceId, refusal };
  }

  /** Takes the payment as the order's. */
  async accept(paymentIntentId: string): Promise<void> {
    this.giveBackMoneyOf(paymentIntentId);
    this.#paymentIntentId = paymentIntentId;
    await this.journal.transition('PAID', 'The payment has arrived; the order is being shipped.', { paymentIntentId });
  }

  /** To be called before the stock is held. */
  giveBackStockLater(): void {
    const { orderId } = this.input;
    this.#undoWith('stock', () =>
      this.activities.stock.giveBackStock.executeWithOptions({ summary: 'Give the stock back' }, [
        { orderId, runId: this.runId },
      ]),
    );
  }

  giveBackMoneyOf(paymentIntentId: string): void {
    this.#undoWith('payment', () => this.#giveMoneyBack(paymentIntentId));
  }

  async #giveMoneyBack(paymentIntentId: string): Promise<void> {
    const target = { orderId: this.input.orderId, paymentIntentId };
    await refundPaymentAfterDisputes(this.activities, target, async (forMs) => {
      const known = this.inbox.length;
      await condition(() => this.inbox.length > known, forMs);
    });
  }

  /** Gives back a payment that is not the order's, and ends the order. */
  async refusePayment(paymentIntentId: string, detail: string): Promise<void> {
    this.giveBackMoneyOf(paymentIntentId);
    // Kept with the order, so that the payment is known when Stripe tells of it again.
    this.#paymentIntentId = paymentIntentId;
    await this.compensate();
    await this.journal.transition('CANCELLED', detail, { paymentIntentId });
  }

  /** Ends the order unpaid, once its stock is given back. */
  async end({ status, detail }: Closing): Promise<void> {
    await this.compensate();
    await this.journal.transition(status, detail);
  }

  /** Ends the paid order, once its money is given back, and its stock too unless it is to be kept back. */
  async refund(detail: string, { restock }: { readonly restock: boolean } = { restock: true }): Promise<void> {
    await this.compensate(restock ? undefined : 'stock');
    await this.journal.transition('REFUNDED', detail);
  }

  /** The wish of a customer or an operator to cancel that waits in the inbox. */
  get cancelRequest(): CancelRequest | undefined {
    return this.inbox.find((message) => message.kind === 'cancel')?.request;
  }

  /** Handles an event of Stripe that does not belong to the step that the order is in. */
  async settle(event: StripeEvent): Promise<void> {
    const { orderId } = this.input;
    if (this.status === undefined) return;
    const step = decideAftercare({ orderId, status: this.status, paymentIntentId: this.#paymentIntentId }, event);
    if (step.do === 'nothing') return;
    if (isTerminal(this.status)) {
      // From now on a refund by an operator writes to the timeline too, so the entries count as those after the end.
      await carryOutAftercare(this.activities, { orderId, status: this.status, eventId: event.eventId }, step);
      return;
    }
    if (step.do === 'refund') {
      // Several events tell of one payment.
      if (this.#returned.has(step.paymentIntentId)) return;
      this.#returned.add(step.paymentIntentId);
      await this.#giveMoneyBack(step.paymentIntentId);
    } else if (step.alarm) {
      alarm(step.note.detail);
    }
    await this.journal.note(step.note.event, step.note.detail);
  }
}

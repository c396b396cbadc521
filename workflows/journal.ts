import { isCancellation, log, setCurrentDetails, TemporalFailure, upsertSearchAttributes } from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { OrderActivities } from '../activities/orders.ts';
import { TIMELINE_CONFLICT } from '../contracts/failures.ts';
import { ORDER_STATUS_ATTRIBUTE, type TimelineEntry } from '../contracts/messages.ts';
import { canTransition, type OrderStatus, transitionEvent } from '../domain/order-status.ts';
import type { Activities } from './activities.ts';
import { failedWith } from './failed-with.ts';
import { reportEvent, reportFulfillmentTime, reportRefusal } from './events.ts';

const orderStatusKey = defineSearchAttributeKey(ORDER_STATUS_ATTRIBUTE, 'KEYWORD');

type NewOrder = Omit<Parameters<OrderActivities['recordOrder']>[0], 'orderId'>;

type Write = (orders: Pick<Activities['orders'], 'recordOrder' | 'recordTimelineEntry'>) => Promise<void>;

type Changes = Pick<TimelineEntry, 'checkoutSessionId' | 'paymentLink' | 'paymentIntentId' | 'trackingNumber'>;

/**
 * The order's status and everything that shows it: the row with its timeline, the search attribute, and the sentence in
 * Temporal's Web UI. It is the only one that writes them.
 */
export class Journal {
  readonly #orderId: string;
  readonly #activities: Activities;
  #seq = 0;
  #status: OrderStatus | undefined;
  #paidAt: number | undefined;

  /** @param stands where the timeline of an order stands that is taken up again */
  constructor(
    orderId: string,
    activities: Activities,
    stands?: { readonly seq: number; readonly status: OrderStatus },
  ) {
    this.#orderId = orderId;
    this.#activities = activities;
    if (stands !== undefined) ({ seq: this.#seq, status: this.#status } = stands);
  }

  /** The order's status; undefined before the order exists. */
  get status(): OrderStatus | undefined {
    return this.#status;
  }

  /** Begins the order as PENDING, with its row and lines. */
  async begin(order: NewOrder): Promise<void> {
    this.#check('PENDING');
    this.#seq = 1;
    const event = transitionEvent('PENDING');
    await this.#write((orders) =>
      orders.recordOrder.executeWithOptions({ summary: event }, [{ ...order, orderId: this.#orderId }]),
    );
    this.#status = 'PENDING';
    setCurrentDetails(order.detail);
    reportEvent(this.#orderId, event, 'PENDING');
  }

  /** Moves the order to another status and writes it down. */
  async transition(to: OrderStatus, detail: string, changes: Changes = {}): Promise<void> {
    this.#check(to);
    const entry = this.#entry(to, transitionEvent(to), detail, changes);
    await this.#write((orders) => orders.recordTimelineEntry.executeWithOptions({ summary: entry.event }, [entry]));
    // Only now, so that whoever waits for the status finds it in the row too.
    this.#status = to;
    this.#show(entry);
    upsertSearchAttributes([{ key: orderStatusKey, value: to }]);
    if (to === 'PAID') this.#paidAt = Date.now();
    if (to === 'FINISHED' && this.#paidAt !== undefined) reportFulfillmentTime(Date.now() - this.#paidAt);
  }

  /**
   * Writes down what happened without a change of status. Not from within the workflow task: what a message brings is to
   * be durable before it is written. A task that is done again after a crash may hold more, and decide in another order.
   */
  async note(event: string, detail: string): Promise<void> {
    if (this.#status === undefined) throw new Error('An order that does not exist has no timeline');
    const entry = this.#entry(this.#status, event, detail, {});
    await this.#writeRemotely((orders) => orders.recordTimelineEntry.executeWithOptions({ summary: event }, [entry]));
    this.#show(entry);
  }

  /** Shows that the request was refused: there is no order and no row. */
  refuse(reason: string, detail: string): void {
    setCurrentDetails(detail);
    upsertSearchAttributes([{ key: orderStatusKey, value: 'REFUSED' }]);
    reportRefusal(reason);
  }

  #check(to: OrderStatus): void {
    if (!canTransition(this.#status, to)) {
      throw new Error(`Order ${this.#orderId} cannot go from ${this.#status ?? 'nothing'} to ${to}`);
    }
  }

  #entry(status: OrderStatus, event: string, detail: string, changes: Changes): TimelineEntry {
    this.#seq += 1;
    return { orderId: this.#orderId, seq: this.#seq, status, event, detail, ...changes };
  }

  #show({ orderId, event, status, detail }: TimelineEntry): void {
    setCurrentDetails(detail);
    reportEvent(orderId, event, status);
  }

  /**
   * Writes from within the workflow task, and where that fails from an activity of its own that waits for PostgreSQL as
   * long as it takes. Both may happen; the rows are written by `(order_id, seq)`, so twice is once.
   */
  async #write(write: Write): Promise<void> {
    try {
      await write(this.#activities.localOrders);
    } catch (error) {
      // A local activity's failure comes as it is: not an ActivityFailure, but what it failed with, or a time-out.
      if (!(error instanceof TemporalFailure) || isCancellation(error)) throw error;
      if (failedWith(error, TIMELINE_CONFLICT)) throw conflict(error);
      log.warn('The row could not be written at once; an activity goes on trying', { status: this.#status });
      await this.#writeRemotely(write);
    }
  }

  async #writeRemotely(write: Write): Promise<void> {
    try {
      await write(this.#activities.orders);
    } catch (error) {
      throw failedWith(error, TIMELINE_CONFLICT) ? conflict(error) : error;
    }
  }
}

/**
 * The row says otherwise than this workflow: a bug, which fails the workflow task until it is mended. It is no reason to
 * undo anything, since which of the two is right is not known here.
 */
function conflict(cause: TemporalFailure): Error {
  return new Error(cause.cause?.message ?? cause.message, { cause });
}

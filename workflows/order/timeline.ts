import { defineSearchAttributeKey } from '@temporalio/common';
import { isCancellation, log, setCurrentDetails, TemporalFailure, upsertSearchAttributes } from '@temporalio/workflow';
import type { OrderActivities, StoredOrder } from '../../activities/orders.ts';
import { TIMELINE_CONFLICT } from '../../contracts/failures.ts';
import {
  ORDER_STATUS_ATTRIBUTE,
  type OrderChanges,
  type TimelineData,
  type TimelineEntry,
} from '../../contracts/messages.ts';
import type { Note } from '../../domain/charge.ts';
import { canTransition, type OrderStatus, transitionEvent } from '../../domain/order-status.ts';
import type { Activities } from '../shared/activities.ts';
import { failedWith } from '../shared/failed-with.ts';
import { alarm, reportEvent, reportFulfillmentTime, reportRefusal } from '../shared/report.ts';

const orderStatusKey = defineSearchAttributeKey(ORDER_STATUS_ATTRIBUTE, 'KEYWORD');

type NewOrder = Omit<Parameters<OrderActivities['recordOrder']>[0], 'orderId'>;

type Write = (orders: Pick<Activities['orders'], 'recordOrder' | 'recordTimelineEntry'>) => Promise<void>;

/**
 * The order's status and everything that shows it: the row with its timeline, the search attribute, and the sentence in
 * Temporal's Web UI. While the order's workflow runs, it is the only one that writes them.
 */
export class Timeline {
  readonly #orderId: string;
  readonly #activities: Activities;
  /** What the entries come from that are known to be written. */
  readonly #sources = new Set<string>();
  #status: OrderStatus | undefined;
  #paidAt: number | undefined;

  constructor(orderId: string, activities: Activities) {
    this.#orderId = orderId;
    this.#activities = activities;
  }

  /** Goes on from an order that was read. */
  restore({ status, sources }: Pick<StoredOrder, 'status' | 'sources'>): void {
    this.#status = status;
    for (const source of sources) this.#sources.add(source);
  }

  /** The order's status; undefined before the order exists, or is read. */
  get status(): OrderStatus | undefined {
    return this.#status;
  }

  /** Whether an entry of this source is on the timeline, as far as this workflow knows. */
  has(source: string): boolean {
    return this.#sources.has(source);
  }

  /** Begins the order as PENDING, with its row and lines. */
  async begin(order: NewOrder): Promise<void> {
    const event = transitionEvent('PENDING');
    await this.#write((orders) =>
      orders.recordOrder.executeWithOptions({ summary: event }, [{ ...order, orderId: this.#orderId }]),
    );
    this.#status = 'PENDING';
    this.#show(event, order.detail);
  }

  /** Moves the order to another status and writes it down. */
  async transition(
    to: OrderStatus,
    detail: string,
    changes: OrderChanges = {},
    data: TimelineData = {},
  ): Promise<void> {
    const from = this.#status;
    if (from === undefined || !canTransition(from, to)) {
      throw new Error(`Order ${this.#orderId} cannot go from ${from ?? 'nothing'} to ${to}`);
    }
    const event = transitionEvent(to);
    const entry: TimelineEntry = {
      orderId: this.#orderId,
      // An order comes into each status once.
      source: event,
      event,
      detail,
      transition: { from, to },
      data,
      changes,
    };
    await this.#write((orders) => orders.recordTimelineEntry.executeWithOptions({ summary: event }, [entry]));
    // Only now, so that whoever waits for the status finds it in the row too.
    this.#status = to;
    this.#show(event, detail);
    upsertSearchAttributes([{ key: orderStatusKey, value: to }]);
    if (to === 'PAID') this.#paidAt = Date.now();
    if (to === 'FINISHED' && this.#paidAt !== undefined) reportFulfillmentTime(Date.now() - this.#paidAt);
  }

  /**
   * Writes down what happened without a change of status, unless it is written. Not from within the workflow task: what a
   * message brings is to be durable before it is written. A task that is done again after a crash may hold more, and
   * decide in another order.
   */
  async note(note: Note, more: { readonly data?: TimelineData; readonly changes?: OrderChanges } = {}): Promise<void> {
    if (this.#status === undefined) throw new Error(`Order ${this.#orderId} does not exist yet, so it has no timeline`);
    const { source, event, detail } = note;
    if (this.#sources.has(source)) return;
    if (note.alarm === true) alarm(detail, { orderId: this.#orderId });
    const entry: TimelineEntry = { orderId: this.#orderId, source, event, detail, ...more };
    await this.#writeRemotely((orders) => orders.recordTimelineEntry.executeWithOptions({ summary: event }, [entry]));
    this.#sources.add(source);
    this.#show(event, detail);
  }

  /** Shows that the request was refused: there is no order and no row. */
  refuse(reason: string, detail: string): void {
    setCurrentDetails(detail);
    upsertSearchAttributes([{ key: orderStatusKey, value: 'REFUSED' }]);
    reportRefusal(reason);
  }

  #show(event: string, detail: string): void {
    setCurrentDetails(detail);
    if (this.#status !== undefined) reportEvent(this.#orderId, event, this.#status);
  }

  /**
   * Writes from within the workflow task, and if that fails, from an activity of its own that waits for PostgreSQL as long
   * as it takes. Both may happen; one source writes one entry, so twice is once.
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
 * The row says otherwise than this workflow: a bug, or somebody at the database. It fails the workflow task until it is
 * fixed. It is no reason to undo anything, since which of the two is right is not known here.
 */
function conflict(cause: TemporalFailure): Error {
  return new Error(cause.cause?.message ?? cause.message, { cause });
}

import { defineSearchAttributeKey } from '@temporalio/common';
import {
  isCancellation,
  log,
  patched,
  setCurrentDetails,
  sleep,
  TemporalFailure,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
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
import { pauseAfter } from '../shared/refund.ts';
import { alarm, reportEvent, reportFulfillmentTime, reportRefusal } from '../shared/report.ts';

const orderStatusKey = defineSearchAttributeKey(ORDER_STATUS_ATTRIBUTE, 'KEYWORD');

/** A person may need hours to notice, and the order should go on soon after the fix. */
const LONGEST_CONFLICT_PAUSE_MS = 60_000;

/** Runs from before it wrote several steps of an order within one workflow task. */
const ONE_WRITE_A_TASK = 'one-write-within-a-workflow-task';

type NewOrder = Omit<Parameters<OrderActivities['recordOrder']>[0], 'orderId'>;

type Write = (orders: Pick<Activities['orders'], 'recordOrder' | 'recordTimelineEntry'>) => Promise<void>;

/**
 * The order's status and everything that shows it: the row with its timeline, the search attribute, and the sentence in
 * Temporal's Web UI. While the order's workflow runs, nothing else writes them.
 */
export class Timeline {
  readonly #orderId: string;
  readonly #activities: Activities;
  /** The sources of the entries that are known to be written. */
  readonly #sources = new Set<string>();
  #status: OrderStatus | undefined;
  #paidAt: number | undefined;
  /** How long the history was, in events, when a workflow task last wrote: it tells one task from the next. */
  #historyLengthAtWrite: number | undefined;

  constructor(orderId: string, activities: Activities) {
    this.#orderId = orderId;
    this.#activities = activities;
  }

  /** Restores the timeline of an order that was read from its row. */
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

  /** Moves the order to another status, and writes it. */
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
    // Only now, so that the row already has the status that others wait for.
    this.#status = to;
    this.#show(event, detail);
    upsertSearchAttributes([{ key: orderStatusKey, value: to }]);
    if (to === 'PAID') this.#paidAt = Date.now();
    if (to === 'FINISHED' && this.#paidAt !== undefined) reportFulfillmentTime(Date.now() - this.#paidAt);
  }

  /**
   * Writes an entry that changes no status, unless it is already written. Not from within the workflow task: a message
   * must be durable before anything is written because of it. A task that is repeated after a crash may hold more
   * messages, and decide in another order.
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

  /** Shows in Temporal that the request was refused; there is no row. */
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
   * Writes from within the workflow task; if that fails, from an activity of its own that waits for PostgreSQL as long
   * as it takes. Both may happen, which is safe because one source writes one entry.
   *
   * A second step within one task is written by an activity of its own as well, so that the first is in the history
   * before. A task that is lost is done again from its start, and would find that the row has gone further than its
   * first step.
   */
  async #write(write: Write): Promise<void> {
    if (workflowInfo().historyLength === this.#historyLengthAtWrite && patched(ONE_WRITE_A_TASK)) {
      await this.#writeRemotely(write);
      return;
    }
    try {
      await write(this.#activities.localOrders);
      this.#historyLengthAtWrite = workflowInfo().historyLength;
    } catch (error) {
      // A local activity's failure is not wrapped in an ActivityFailure: it is the failure itself, or a time-out.
      if (!(error instanceof TemporalFailure) || isCancellation(error)) throw error;
      log.warn('The row could not be written within the workflow task; an activity keeps trying', {
        status: this.#status,
      });
      await this.#writeRemotely(write);
    }
  }

  /**
   * A row that disagrees with this workflow is asked again, less and less often, and nothing is undone, since which of the
   * two is right is not known here: a backup was restored, or somebody changed the row. `doctor --repair` brings them
   * together.
   */
  async #writeRemotely(write: Write): Promise<void> {
    for (let attempts = 1; ; attempts += 1) {
      try {
        await write(this.#activities.orders);
        return;
      } catch (error) {
        if (!failedWith(error, TIMELINE_CONFLICT)) throw error;
        log.warn('The row disagrees with this workflow; it is asked again', { status: this.#status, error });
      }
      await sleep(pauseAfter(attempts, LONGEST_CONFLICT_PAUSE_MS), { summary: 'Before the row is asked again' });
    }
  }
}

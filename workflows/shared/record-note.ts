import type { StoredOrder } from '../../activities/orders.ts';
import type { OrderChanges } from '../../contracts/messages.ts';
import type { Note } from '../../domain/charge.ts';
import type { Activities } from './activities.ts';
import { alarm, reportEvent } from './report.ts';

/** Writes a note to the timeline of an order, unless it is there. For the workflows that run beside the order's own. */
export async function recordNote(
  { orders }: Pick<Activities, 'orders'>,
  order: StoredOrder,
  note: Note,
  changes: OrderChanges = {},
): Promise<void> {
  const { orderId, status, sources } = order;
  const { source, event, detail } = note;
  if (sources.includes(source)) return;
  if (note.alarm === true) alarm(detail, { orderId });
  await orders.recordTimelineEntry.executeWithOptions({ summary: event }, [
    { orderId, source, event, detail, changes },
  ]);
  reportEvent(orderId, event, status);
}

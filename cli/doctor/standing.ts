import { isTerminal, leadsTo, type OrderStatus } from '../../domain/order-status.ts';

/** The newest run of an order's workflow, as Temporal's list tells of it. */
export type OrderRun = {
  readonly runId: string;
  /** `RUNNING`, or how it ended: `COMPLETED`, `FAILED`, `TERMINATED`, `CANCELED`, `TIMED_OUT`. */
  readonly status: string;
  /** Where the order is as far as the workflow knows. */
  readonly says: OrderStatus | 'REFUSED';
};

/**
 * How the row of an order and its workflow stand to each other. They only part if one of them comes from a backup: a row
 * is written first, and its workflow follows within a moment.
 */
export type Standing =
  | 'inStep'
  /** The workflow has not written the row yet, or it has and the row is gone: its journal says which. */
  | 'notWritten'
  /** PostgreSQL is older than Temporal. */
  | 'rowBehind'
  /** Temporal is older than PostgreSQL. */
  | 'workflowBehind'
  /** Each came to another end. */
  | 'apart';

/** @param row the status of the order's row; undefined if there is none */
export function standingOf(row: OrderStatus | undefined, { status, says }: OrderRun): Standing {
  if (says === 'REFUSED' || says === row) return 'inStep';
  if (row === undefined) return says === 'PENDING' && status !== 'COMPLETED' ? 'notWritten' : 'rowBehind';
  if (leadsTo(row, says)) return 'rowBehind';
  // An operator refunds an order after the end of its workflow.
  if (says === 'FINISHED' && row === 'REFUNDED') return 'inStep';
  // It makes the payment link again, which is the same one, and is level then.
  if (says === 'PENDING' && row === 'WAITING_FOR_PAYMENT') return 'inStep';
  if (status === 'RUNNING') return 'workflowBehind';
  if (status === 'COMPLETED') return 'apart';
  // One that was broken off does nothing more: an open order is lost, and is found as such.
  return isTerminal(says) ? 'apart' : 'inStep';
}

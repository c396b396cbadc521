import type { Client } from '@temporalio/client';
import type { Database } from '../../../database/database.ts';
import {
  countOrdersSince,
  findOrderIdByAnything,
  listMatters,
  listSlowOrders,
  type Matter,
  type StatusTotal,
} from '../../../database/desk.ts';
import { type ItemChange, listItemChanges } from '../../../database/item-changes.ts';
import { findItem, type ItemRecord } from '../../../database/items.ts';
import type { ListedOrder } from '../../../database/order-pages.ts';
import { countOpenOrders, type OpenOrders } from '../../../database/order-statistics.ts';
import type { OrderRecord } from '../../../database/orders.ts';
import { findLastReconciliation, type Reconciliation } from '../../../database/reconciliations.ts';
import type { Config } from '../../../platform/config.ts';
import { type LinksElsewhere, linksElsewhere } from '../../links-elsewhere.ts';
import { patienceMs, readWorkflowState, type WorkflowState } from '../../order-health.ts';

/** A page does not wait for a Temporal that is away. */
const TEMPORAL_WAIT_MS = 1_500;
const MATTERS_OF_AN_ORDER = 20;

/** What the desk reads besides what the operators' routes read. */
export type DeskReads = {
  readonly listMatters: (limit: number) => Promise<Matter[]>;
  /** The same of one order. */
  readonly listMattersOf: (orderId: string) => Promise<Matter[]>;
  readonly listSlowOrders: (limit: number) => Promise<ListedOrder[]>;
  readonly countOpenOrders: () => Promise<readonly OpenOrders[]>;
  readonly countOrdersSince: (since: Date) => Promise<StatusTotal[]>;
  /** The last comparison with Stripe; undefined if there was none yet. */
  readonly findLastReconciliation: () => Promise<Reconciliation | undefined>;
  readonly findOrderIdByAnything: (text: string) => Promise<string | undefined>;
  readonly findItem: (itemId: string) => Promise<ItemRecord | undefined>;
  readonly listItemChanges: (itemId: string, limit: number) => Promise<ItemChange[]>;
  /** It does not throw if Temporal is away. */
  readonly workflowState: (orderId: string) => Promise<WorkflowState>;
  readonly linksElsewhere: (order: OrderRecord) => LinksElsewhere;
};

type Parts = {
  readonly config: Pick<Config, 'links' | 'temporal' | 'stripe' | 'paymentWindowMs'>;
  readonly client: Client;
  readonly database: Database;
};

export function createDeskReads({ config, client, database }: Parts): DeskReads {
  return {
    listMatters: async (limit) => listMatters(database, limit),
    listMattersOf: async (orderId) => listMatters(database, MATTERS_OF_AN_ORDER, orderId),
    listSlowOrders: async (limit) => listSlowOrders(database, patienceMs(config.paymentWindowMs), limit),
    countOpenOrders: async () => countOpenOrders(database),
    countOrdersSince: async (since) => countOrdersSince(database, since),
    findLastReconciliation: async () => findLastReconciliation(database),
    findOrderIdByAnything: async (text) => findOrderIdByAnything(database, text),
    findItem: async (itemId) => findItem(database, itemId),
    listItemChanges: async (itemId, limit) => listItemChanges(database, itemId, limit),
    workflowState: async (orderId) => {
      try {
        return await client.withDeadline(Date.now() + TEMPORAL_WAIT_MS, () => readWorkflowState(client, orderId));
      } catch (error) {
        return { found: 'unknown', problem: error instanceof Error ? error.message : String(error) };
      }
    },
    linksElsewhere: (order) => linksElsewhere(config, order),
  };
}

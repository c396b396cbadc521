import { activityInfo } from '@temporalio/activity';
import type { HoldStockResult } from '../contracts/messages.ts';
import type { Database } from '../database/database.ts';
import * as stock from '../database/stock.ts';

export type StockActivities = ReturnType<typeof createStockActivities>;

/** The activities of the task queue `stock`. */
export function createStockActivities({ database }: { readonly database: Database }) {
  return {
    /** Holds stock for all lines or for none; returns the lines with their prices, or why there is no order. */
    async holdStock(input: stock.HoldStockInput): Promise<HoldStockResult> {
      const result = await stock.holdStock(database, input);
      // An earlier attempt may still be running, and must not hold stock for an order that is refused now.
      if (!result.held && activityInfo().attempt > 1) await stock.giveBackStock(database, input);
      return result;
    },

    /** Releases what the order holds, if anything. */
    async giveBackStock(input: { readonly orderId: string; readonly runId: string }): Promise<void> {
      await stock.giveBackStock(database, input);
    },
  };
}

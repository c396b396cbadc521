import { activityInfo } from '@temporalio/activity';
import type { HoldStockResult } from '../contracts/messages.ts';
import type { Database } from '../database/database.ts';
import * as stock from '../database/stock.ts';

export type StockActivities = ReturnType<typeof createStockActivities>;

/** The activities of the task queue `stock`. */
export function createStockActivities({ database }: { readonly database: Database }) {
  return {
    /** Takes stock for all lines or for none; gives the lines with their prices, or why there is no order. */
    async holdStock(input: stock.HoldStockInput): Promise<HoldStockResult> {
      const result = await stock.holdStock(database, input);
      // An attempt before this one may only be slow, and must not hold stock for an order that is refused now.
      if (!result.held && activityInfo().attempt > 1) await stock.giveBackStock(database, input);
      return result;
    },

    /** Gives back what the order holds; nothing where it holds nothing. */
    async giveBackStock(input: { readonly orderId: string; readonly runId: string }): Promise<void> {
      await stock.giveBackStock(database, input);
    },
  };
}

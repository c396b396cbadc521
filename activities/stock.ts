import type { HoldStockResult } from '../contracts/messages.ts';
import type { Database } from '../database/database.ts';
import * as stock from '../database/stock.ts';

export type StockActivities = ReturnType<typeof createStockActivities>;

/** The activities of the task queue `stock`. */
export function createStockActivities({ database }: { readonly database: Database }) {
  return {
    /** Takes stock for all lines or for none; gives the lines with their prices, or why there is no order. */
    async holdStock(input: stock.HoldStockInput): Promise<HoldStockResult> {
      return stock.holdStock(database, input);
    },

    /** Gives back what the order holds; nothing where it holds nothing. */
    async giveBackStock(input: { readonly orderId: string; readonly runId: string }): Promise<void> {
      await stock.giveBackStock(database, input);
    },
  };
}

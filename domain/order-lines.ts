export type RequestedLine = { readonly itemId: string; readonly quantity: number };

/** A line with the name and price at the time of the order; later changes do not affect it. */
export type OrderLine = {
  readonly itemId: string;
  readonly name: string;
  readonly quantity: number;
  readonly unitAmountMinor: number;
  readonly currency: string;
};

/** Quantities are whole numbers from 1 to this, for each requested line and for the merged one. */
export const MAX_QUANTITY = 10_000;
/** The most lines that a request may have. */
export const MAX_LINES = 50;

/** Merges lines of the same item into one, in the order in which the items first appear. */
export function mergeLines(requested: readonly RequestedLine[]): RequestedLine[] {
  const quantities = new Map<string, number>();
  for (const { itemId, quantity } of requested) {
    quantities.set(itemId, (quantities.get(itemId) ?? 0) + quantity);
  }
  return Array.from(quantities, ([itemId, quantity]) => ({ itemId, quantity }));
}

/** Returns the lines without these pieces; a line of which nothing is left is left out. */
export function withoutPieces<T extends RequestedLine>(lines: readonly T[], pieces: readonly RequestedLine[]): T[] {
  const taken = new Map(mergeLines(pieces).map(({ itemId, quantity }) => [itemId, quantity]));
  return lines
    .map((line) => ({ ...line, quantity: line.quantity - (taken.get(line.itemId) ?? 0) }))
    .filter(({ quantity }) => quantity > 0);
}

import { expect, test } from 'vitest';
import { mergeLines } from './order-lines.ts';

test("lines of one item become one line, where the item first came: the contract's example", () => {
  const requested = [
    { itemId: 'pencil', quantity: 5 },
    { itemId: 'book', quantity: 5 },
    { itemId: 'pencil', quantity: 15 },
  ];
  expect(mergeLines(requested)).toEqual([
    { itemId: 'pencil', quantity: 20 },
    { itemId: 'book', quantity: 5 },
  ]);
});

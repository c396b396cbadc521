import process from 'node:process';

/** `npm run soak` runs the tests with many rounds for longer; `npm test` runs a few of each. */
const isSoak = process.env['SOAK'] === 'true';

export function rounds({ usual, soak }: { readonly usual: number; readonly soak: number }): number {
  return isSoak ? soak : usual;
}

/** What chance is drawn from; printed by the tests that use it, and set by SEED to see a run again. */
export const seed = Number(process.env['SEED'] ?? (isSoak ? Date.now() % 2 ** 31 : 20_261_122));

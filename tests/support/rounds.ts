import process from 'node:process';

/** `npm run test:long` and `npm run fuzz` run the tests with many rounds; `npm test` runs a few of each. */
const isLong = process.env['LONG'] === 'true';

export function rounds({ usual, long }: { readonly usual: number; readonly long: number }): number {
  return isLong ? long : usual;
}

/** What chance is drawn from; printed by the tests that use it, and set by SEED to see a run again. */
export const seed = Number(process.env['SEED'] ?? (isLong ? Date.now() % 2 ** 31 : 20_261_122));

import { join } from 'node:path';
import { inject } from 'vitest';

/**
 * Returns the compiled form of an entry of the product, for Node to run.
 *
 * @param entry the source file, such as `workers/orders.ts`
 */
export function compiled(entry: string): string {
  return join(inject('compiledFolder'), entry.replace(/\.ts$/, '.js'));
}

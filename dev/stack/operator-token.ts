import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { StateFolder } from './state-folder.ts';

/** The token with which somebody signs in at the desk of `npm start`: made at the first start, and kept with its data. */
export function operatorToken(state: StateFolder): string {
  const file = state.file('operator-token');
  if (!existsSync(file)) writeFileSync(file, randomBytes(12).toString('hex'), { mode: 0o600 });
  return readFileSync(file, 'utf8');
}

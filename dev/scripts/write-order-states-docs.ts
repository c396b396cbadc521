import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withOrderStates } from './order-states-docs.ts';

const file = join(import.meta.dirname, '..', '..', 'docs', 'order-states.md');
writeFileSync(file, withOrderStates(readFileSync(file, 'utf8')));

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationDocument, envExample } from './configuration-docs.ts';

const project = join(import.meta.dirname, '..', '..');
writeFileSync(join(project, 'docs', 'configuration.md'), configurationDocument());
writeFileSync(join(project, '.env.example'), envExample());

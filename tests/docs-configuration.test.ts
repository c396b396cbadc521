import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseEnvironment } from '../platform/config.ts';
import { environmentSchema } from '../platform/environment.ts';
import { configurationDocument, envExample } from '../dev/scripts/configuration-docs.ts';

const project = join(import.meta.dirname, '..');
const names = Object.keys(environmentSchema.shape);

test('docs/configuration.md is what `npm run docs:configuration` makes', () => {
  expect(readFileSync(join(project, 'docs/configuration.md'), 'utf8')).toBe(configurationDocument());
});

test('.env.example is what `npm run docs:configuration` makes', () => {
  expect(readFileSync(join(project, '.env.example'), 'utf8')).toBe(envExample());
});

test.each(names)('%s is documented once, with what it is for', (name) => {
  const rows = configurationDocument()
    .split('\n')
    .filter((line) => line.startsWith(`| \`${name}\` |`));
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatch(/\| \S[^|]{10,} \|$/);
});

test('.env.example with all its values taken is a valid environment', () => {
  const values = Object.fromEntries(
    [...envExample().matchAll(/^#([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
  );
  expect(Object.keys(values).sort()).toEqual(names.toSorted());
  expect(parseEnvironment(values).env).toEqual(environmentSchema.parse({}));
});

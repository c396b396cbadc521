import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import * as messages from '../contracts/messages.ts';
import { environmentSchema } from '../platform/environment.ts';
import { withOrderStates } from '../dev/scripts/order-states-docs.ts';

const PROJECT = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(PROJECT, path), 'utf8');
const documents = [
  'README.md',
  'README.zh-CN.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CODE_OF_CONDUCT.md',
  ...readdirSync(join(PROJECT, 'docs')).map((name) => `docs/${name}`),
].filter((name) => name.endsWith('.md'));

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}

test('docs/order-states.md has the states of the code', () => {
  const document = read('docs/order-states.md');
  expect(withOrderStates(document), 'run `npm run docs:order-states`').toBe(document);
});

test('docs/domain.md has the workflows, updates, signals and queries of the code', () => {
  const kinds = Object.entries(messages).flatMap(([constant, name]) => {
    if (typeof name !== 'string' || constant.endsWith('_ATTRIBUTE') || constant.endsWith('_ID')) return [];
    return [[name, /_(UPDATE|SIGNAL|QUERY)$/.exec(constant)?.[1]?.toLowerCase() ?? 'workflow']];
  });
  const table = matches(read('docs/domain.md'), /^(\| `\w+` \| (?:update|signal|query|workflow)).*$/gm).map((row) =>
    row.replaceAll(/[|`]/g, '').trim().split(/\s+/),
  );
  // The first workflow is the one that the others are sent to.
  expect(Object.fromEntries([...table, ['orderLifecycle', 'workflow']])).toEqual(Object.fromEntries(kinds));
});

describe.each(documents)('%s', (name) => {
  const text = read(name);

  test('links to what there is', () => {
    const links = matches(text, /\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g);
    expect(links.filter((link) => !existsSync(join(PROJECT, dirname(name), link)))).toEqual([]);
  });

  test('names commands that there are', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const commands = matches(text, /npm run (?:-s )?([\w:-]+)/g);
    expect(commands.filter((command) => !(command in scripts))).toEqual([]);
    const entries = matches(text, /dist\/([\w./-]+)\.js/g);
    expect(entries.filter((entry) => !existsSync(join(PROJECT, `${entry}.ts`)))).toEqual([]);
  });

  test('names settings that there are', () => {
    const names = matches(text, /`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`/g);
    const known = new Set([...Object.keys(environmentSchema.shape), ...names.filter(isOfSomebodyElse)]);
    expect(names.filter((setting) => !known.has(setting))).toEqual([]);
  });
});

/** Variables of Temporal, OpenTelemetry, Node and OpenSSL, and what only looks like a variable. */
function isOfSomebodyElse(name: string): boolean {
  return /^TEMPORAL_TLS_|^OTEL_|^NODE_|^SSL_CERT_|^REJECT_DUPLICATE$|^WAITING_FOR_PAYMENT$|^XDG_CACHE_HOME$|^WAIT_CANCELLATION_COMPLETED$/.test(
    name,
  );
}

describe('README.zh-CN.md is in step with README.md', () => {
  const english = read('README.md');
  const chinese = read('README.zh-CN.md');

  test('section for section', () => {
    const headings = (text: string) => matches(text, /^(#+) /gm);
    expect(headings(chinese)).toEqual(headings(english));
  });

  test('with the same commands and answers', () => {
    const blocks = (text: string) =>
      matches(text, /^```(?!mermaid)\w+\n([^]*?)^```$/gm).map((block) => block.replaceAll(/ +# .*$/gm, ''));
    expect(blocks(chinese)).toEqual(blocks(english));
  });

  test('with the same steps in the picture', () => {
    const arrows = (text: string) => matches(text, /^ +(\w+-?->>?\w+):/gm);
    expect(arrows(english).length).toBeGreaterThan(9);
    expect(arrows(chinese)).toEqual(arrows(english));
  });

  test.each([
    ['words of code', /`([^`\n]+)`/g],
    ['links', /\]\(([^)]+)\)/g],
    ['addresses', /(?:https?:\/\/)?(127\.0\.0\.1:\d+[\w/.-]*)/g],
  ])('with the same %s', (_what, pattern) => {
    const inText = (text: string) =>
      matches(text.replaceAll(/^```[^]*?^```$/gm, ''), pattern)
        .filter((found) => !found.startsWith('README'))
        .toSorted();
    expect(inText(chinese)).toEqual(inText(english));
  });
});

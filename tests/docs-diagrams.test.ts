import { createRequire } from 'node:module';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium } from '../dev/stack/chromium.ts';
import { launchBrowser } from './support/browser.ts';

const PROJECT = join(import.meta.dirname, '..');
const MERMAID = join(createRequire(import.meta.url).resolve('mermaid'), '..', 'mermaid.min.js');

const documents = ['README.md', 'README.zh-CN.md', ...readdirSync(join(PROJECT, 'docs')).map((name) => `docs/${name}`)];
const diagrams = documents
  .filter((name) => name.endsWith('.md'))
  .flatMap((name) => {
    const text = readFileSync(join(PROJECT, name), 'utf8');
    return [...text.matchAll(/^```mermaid\n(?<diagram>[^]*?)^```$/gm)].map((match, index) => ({
      name: `${name}, diagram ${index + 1}`,
      diagram: match.groups?.['diagram'] ?? '',
    }));
  });

/** Mermaid's own functions, as the browser has them. */
declare const mermaid: { render: (id: string, text: string) => Promise<{ svg: string }> };

describe.skipIf(!hasChromium())('the diagrams of the docs, drawn by Mermaid in Chromium', () => {
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    browser = await launchBrowser();
    page = await browser.newPage();
    await page.setContent('<!doctype html><body></body>');
    await page.addScriptTag({ path: MERMAID });
  });

  afterAll(async () => {
    await browser?.close();
  });

  async function draw(diagram: string): Promise<string> {
    return page.evaluate(async (text) => (await mermaid.render('drawn', text)).svg, diagram);
  }

  test('are in README and docs', () => {
    expect(diagrams.length).toBeGreaterThanOrEqual(8);
  });

  test.each(diagrams)('$name', async ({ diagram }) => {
    expect(await draw(diagram)).toMatch(/^<svg/);
  });

  test('would be refused if one were broken', async () => {
    await expect(draw('flowchart LR\n  a -->')).rejects.toThrow(/Parse error/);
  });
});

import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { AxeResults } from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { findChromium } from '../../dev/stack/chromium.ts';

const PICTURES = join(import.meta.dirname, '..', '..', 'test-output');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The sizes at which pages are looked at. */
export const viewports = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };

/**
 * Starts Chromium without a window.
 *
 * @throws Error if there is none, saying how to get one
 */
export async function launchBrowser(): Promise<Browser> {
  return chromium.launch(await findChromium());
}

/** Takes pictures of the page as it stands, phone and desktop size, into the folder `test-output`. */
export async function takePictures(page: Page, name: string): Promise<void> {
  mkdirSync(PICTURES, { recursive: true });
  const before = page.viewportSize();
  for (const [device, size] of Object.entries(viewports)) {
    await page.setViewportSize(size);
    await page.screenshot({
      path: join(PICTURES, `${name}-${device}.png`),
      fullPage: true,
      animations: 'disabled',
    });
  }
  if (before !== null) await page.setViewportSize(before);
}

declare const axe: { run: () => Promise<AxeResults> };

/**
 * Asks axe-core what keeps people with disabilities from using the page as it stands, in light and in dark colours.
 *
 * @returns a sentence for each serious or critical finding
 */
export async function findBarriers(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const barriers: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await page.evaluate(() => axe.run());
    for (const { id, impact, help, nodes } of violations) {
      if (impact !== 'serious' && impact !== 'critical') continue;
      barriers.push(`${id} (${impact}, ${colorScheme}): ${help}: ${nodes.map(({ html }) => html).join(' ')}`);
    }
  }
  await page.emulateMedia({ colorScheme: null });
  return barriers;
}

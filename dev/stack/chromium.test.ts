import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { chromium } from 'playwright-core';
import { expect, test, vi } from 'vitest';
import { findChromium, hasChromium } from './chromium.ts';

test.skipIf(process.platform !== 'linux' || process.arch !== 'x64')(
  'a machine without a browser draws text with the one that npm brings',
  { timeout: 60_000 },
  async () => {
    vi.stubEnv('PATH', '/nonexistent');
    try {
      expect(hasChromium()).toBe(true);
      const program = await findChromium();
      expect(program.executablePath).toMatch(/order-backend\/chromium-[\d.]+\/unpacked\/chromium$/);
      const browser = await chromium.launch(program);
      try {
        const page = await browser.newPage();
        await page.setContent('<span>An order</span>');
        // Without a font it would be as wide as nothing.
        expect((await page.locator('span').boundingBox())?.width).toBeGreaterThan(20);
      } finally {
        await browser.close();
      }
    } finally {
      vi.unstubAllEnvs();
    }
  },
);

test('a browser on the PATH is preferred to it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'chromium-test-'));
  const installed = join(folder, 'chromium-browser');
  writeFileSync(installed, '');
  vi.stubEnv('PATH', `/nonexistent:${folder}`);
  try {
    expect(await findChromium()).toMatchObject({ executablePath: installed });
  } finally {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  }
});

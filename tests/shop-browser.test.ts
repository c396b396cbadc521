import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { hasChromium } from '../dev/stack/chromium.ts';
import { findBarriers, launchBrowser, takePictures, viewports } from './support/browser.ts';
import { PENCIL, startWorld, type World } from './support/world.ts';

let world: World;
let browser: Browser;
beforeAll(async () => {
  [world, browser] = await Promise.all([startWorld({ SHOP_PAGE: 'true' }), launchBrowser()]);
  await world.stockItem({ itemId: 'Lamp', unitAmountMinor: 2500, currency: 'USD', available: 0 });
  await world.stockItem({ itemId: 'Chalk', unitAmountMinor: 250, currency: 'USD', available: 3 });
});
afterAll(async () => {
  await browser?.close();
  await world?.stop();
});

/** A customer's own window; what its pages complain of fails the test. */
async function openShop(options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: viewports.phone, ...options });
  context.setDefaultTimeout(25_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('the server responded')) complaints.push(message.text());
  });
  onTestFinished(async () => {
    await context.close();
    expect(complaints).toEqual([]);
  });
  await page.goto(`${world.config.publicUrl}/`);
  return page;
}

async function payByKeyboard(page: Page): Promise<void> {
  await page.getByLabel('Card number').focus();
  for (const text of ['4242424242424242', '1240', '123', 'Ada Lovelace']) {
    await page.keyboard.type(text);
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
}

function orderIdOf(page: Page): string {
  return new URL(page.url()).searchParams.get('order-id') ?? '';
}

describe.skipIf(!hasChromium())('the shop page in a browser', { timeout: 60_000 }, () => {
  test('sells to somebody who has a keyboard alone', async () => {
    const page = await openShop();
    await takePictures(page, 'shop');
    expect(await findBarriers(page)).toEqual([]);
    // Through the page in the order of its fields: book, chalk, pencil. The lamp is out of stock.
    await page.keyboard.press('Tab');
    await page.keyboard.type('1');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.type('3');
    expect(await page.locator('#total').innerText()).toMatch(/Total\s*\$8\.00/);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');

    await page.locator('#pay').waitFor();
    const orderId = orderIdOf(page);
    await page.locator('#pay').focus();
    await page.keyboard.press('Enter');
    await payByKeyboard(page);
    await page.getByRole('heading', { name: 'Your order is on its way' }).waitFor();
    const order = await world.untilStatus(orderId, 'FINISHED');
    expect(order.lines.map(({ name, quantity }) => [name, quantity])).toEqual([
      ['Book', 1],
      ['Pencil', 3],
    ]);
    await page.getByRole('link', { name: 'Back to the shop' }).click();
    await page.getByRole('heading', { name: 'Order here' }).waitFor();
  });

  test('sells to a browser without scripts', async () => {
    const page = await openShop({ javaScriptEnabled: false });
    await page.getByLabel('Quantity of Pencil').fill('2');
    await page.getByRole('button', { name: 'Go to payment' }).click();
    await page.locator('#pay').click();
    await page.getByLabel('Card number').fill('4242424242424242');
    await page.getByLabel('Expiry (MM / YY)').fill('12 / 40');
    await page.getByLabel('CVC').fill('123');
    await page.getByLabel('Name on card').fill('Ada Lovelace');
    await page.getByRole('button', { name: 'Pay $2.00' }).click();
    await page.getByRole('heading', { name: 'Your order is on its way' }).waitFor();
    expect((await world.untilStatus(orderIdOf(page), 'FINISHED')).totalAmountMinor).toBe(200);
  });

  test('says in place how many are left, and makes the order once it fits', async () => {
    const page = await openShop();
    await page.getByLabel('Quantity of Chalk').fill('9');
    await page.getByRole('button', { name: 'Go to payment' }).click();
    expect(await page.getByRole('alert').innerText()).toContain('not in stock in the quantity');
    expect(await page.locator('.wrong').innerText()).toBe('Only 3 are left now. Enter a smaller number.');
    await takePictures(page, 'shop-problem');
    expect(await findBarriers(page)).toEqual([]);
    await page.getByLabel('Quantity of Chalk').fill('3');
    await page.getByRole('button', { name: 'Go to payment' }).click();
    await page.locator('#pay').waitFor();
    const order = await world.order(orderIdOf(page));
    expect(order.totalAmountMinor).toBe(750);
    await world.cancel(order);
  });

  test('speaks Chinese from the shop to the end of the order, and nothing but', async () => {
    const page = await openShop({ locale: 'zh-CN' });
    await page.getByRole('heading', { name: '在这里下单' }).waitFor();
    await takePictures(page, 'shop-chinese');
    expect(await findBarriers(page)).toEqual([]);
    await page.getByLabel('Pencil 的数量').fill('1');
    await page.getByRole('button', { name: '去付款' }).click();
    await page.getByRole('link', { name: '支付 US$1.00' }).waitFor();
    await takePictures(page, 'payment-page-chinese');
    expect(await findBarriers(page)).toEqual([]);
    const order = await world.untilStatus(orderIdOf(page), 'WAITING_FOR_PAYMENT');
    await world.stripe.pay(order.checkoutSessionId ?? '', { card: '4000000000009995' });
    await world.untilEvent(order.orderId, 'payment.failed');
    await world.pay(order);
    await page.getByRole('heading', { name: '您的订单已发货' }).waitFor();
    await page.locator('#order summary').click();
    const { trackingNumber } = await world.order(order.orderId);
    const text = (await page.locator('body').innerText())
      .replaceAll(trackingNumber ?? '', '')
      .replaceAll(order.orderId, '')
      .replaceAll(/Pencil|English|US\$|Stripe/g, '');
    expect(text).not.toMatch(/[A-Za-z]{2,}/);
    // The switch is remembered.
    await page.getByRole('link', { name: 'English' }).click();
    await page.getByRole('heading', { name: 'Your order is on its way' }).waitFor();
    await page.getByRole('link', { name: 'Back to the shop' }).click();
    await page.getByRole('heading', { name: 'Order here' }).waitFor();
    expect(await page.getByLabel('Quantity of Pencil').count()).toBe(1);
    expect(await world.stockOf(PENCIL)).toBeLessThan(100);
  });
});

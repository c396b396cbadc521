import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { hasChromium } from '../dev/stack/chromium.ts';
import { findBarriers, launchBrowser, takePictures, viewports } from './support/browser.ts';
import { BOOK, newCustomer, PENCIL, startWorld, type World } from './support/world.ts';

const CONTRACT_ITEMS = [
  { itemID: PENCIL, quantity: 5 },
  { itemID: BOOK, quantity: 5 },
  { itemID: PENCIL, quantity: 15 },
];
const GOOD_CARD = '4242 4242 4242 4242';
/** Declined: insufficient funds. */
const POOR_CARD = '4000 0000 0000 9995';
/** Asks for 3-D Secure. */
const CAREFUL_CARD = '4000 0025 0000 3155';

let world: World;
let browser: Browser;
beforeAll(async () => {
  [world, browser] = await Promise.all([startWorld(), launchBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await world.stop();
});

/** A customer's own window; what its pages complain of fails the test. */
async function openWindow(options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: viewports.phone, ...options });
  context.setDefaultTimeout(25_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    // A declined card is answered 402, which browsers call an error too.
    if (message.type() === 'error' && !message.text().includes('402')) complaints.push(message.text());
  });
  onTestFinished(async () => {
    await context.close();
    expect(complaints).toEqual([]);
  });
  return page;
}

async function createOrder(): Promise<{ orderId: string; url: string }> {
  const { body } = await world.create(newCustomer(), CONTRACT_ITEMS);
  expect(body).toMatchObject({ errorCode: 0 });
  return { orderId: body.data.order_id, url: body.data.redirect_url };
}

async function payWith(page: Page, number: string): Promise<void> {
  await page.getByLabel('Card number').fill(number);
  await page.getByLabel('Expiry (MM / YY)').fill('12 / 40');
  await page.getByLabel('CVC').fill('123');
  await page.getByLabel('Name on card').fill('Ada Lovelace');
  await page.getByRole('button', { name: 'Pay $45.00' }).click();
}

/** Stripe's news comes only once the page shows the order as it was: what it shows then, it finds out by itself. */
async function payBeforeTheNews(page: Page, number: string): Promise<void> {
  await world.stripe.addWebhookRule({ action: { type: 'hold' }, times: 100 });
  await payWith(page, number);
  await page.getByRole('heading', { name: 'Thank you, we are confirming your payment' }).waitFor();
  await world.stripe.clearWebhookRules();
  await world.stripe.releaseEvents();
}

async function expectFinished(page: Page, orderId: string): Promise<void> {
  await page.getByRole('heading', { name: 'Your order is on its way' }).waitFor();
  const order = await world.untilStatus(orderId, 'FINISHED');
  expect(await page.locator('#order').textContent()).toContain(order.trackingNumber);
  const { charges } = await world.stripe.ledger(orderId);
  expect(charges.filter(({ status }) => status === 'succeeded')).toMatchObject([{ amountMinor: 4500 }]);
}

describe.skipIf(!hasChromium())('a customer in a browser', { timeout: 60_000 }, () => {
  test('pays on the hosted page, and sees the order arrive without doing anything', async () => {
    const page = await openWindow();
    const { orderId, url } = await createOrder();
    await page.goto(url);
    const pay = page.getByRole('link', { name: 'Pay $45.00' });
    await pay.waitFor();
    expect(await page.getByRole('row').allInnerTexts()).toEqual([
      expect.stringContaining('Item'),
      expect.stringMatching(/Pencil\s*20 × \$1\.00\s*\$20\.00/),
      expect.stringMatching(/Book\s*5 × \$5\.00\s*\$25\.00/),
      expect.stringMatching(/Total\s*\$45\.00/),
    ]);
    await takePictures(page, 'payment-page-waiting');
    expect(await findBarriers(page)).toEqual([]);

    await pay.click();
    await page.getByLabel('Card number').waitFor();
    expect(new URL(page.url()).origin).toBe(world.config.stripe.sandboxUrl);
    await takePictures(page, 'hosted-page');
    expect(await findBarriers(page)).toEqual([]);
    await payBeforeTheNews(page, GOOD_CARD);

    await expectFinished(page, orderId);
    expect(page.url()).toBe(`${url}&notice=returned`);
    await takePictures(page, 'payment-page-finished');
    expect(await findBarriers(page)).toEqual([]);
  });

  test('is told why a card is declined, and pays with the next one', async () => {
    const page = await openWindow();
    const { orderId, url } = await createOrder();
    await page.goto(url);
    await page.locator('#pay').click();
    await payWith(page, POOR_CARD);
    const reason = 'There is not enough money on this card. Nothing was charged. Try another card.';
    expect(await page.getByRole('alert').textContent()).toBe(reason);
    await takePictures(page, 'hosted-page-declined');
    expect(await findBarriers(page)).toEqual([]);

    // The shop's page knows of it too, and lets the customer try again.
    await world.untilEvent(orderId, 'payment.failed');
    await page.getByRole('link', { name: 'Back to the shop' }).click();
    await page.getByRole('heading', { name: 'Your payment did not go through' }).waitFor();
    await takePictures(page, 'payment-page-declined');
    expect(await findBarriers(page)).toEqual([]);

    await page.locator('#pay').click();
    await payWith(page, GOOD_CARD);
    await expectFinished(page, orderId);
  });

  test('confirms the payment at the bank if the card asks for it', async () => {
    const page = await openWindow();
    const { orderId, url } = await createOrder();
    await page.goto(url);
    await page.locator('#pay').click();
    await payWith(page, CAREFUL_CARD);
    const confirm = page.getByRole('button', { name: 'Complete authentication' });
    await confirm.waitFor();
    expect(await findBarriers(page)).toEqual([]);
    await confirm.click();
    await expectFinished(page, orderId);
  });

  test('pays without JavaScript: the page loads itself again', async () => {
    const page = await openWindow({ javaScriptEnabled: false });
    const { orderId, url } = await createOrder();
    await page.goto(url);
    await page.locator('#pay').click();
    await payBeforeTheNews(page, GOOD_CARD);
    await expectFinished(page, orderId);
    expect(page.url()).toBe(`${url}&notice=returned`);
  });

  test('cancels on the page, and sees that nothing is owed', async () => {
    const page = await openWindow();
    const { orderId, url } = await createOrder();
    await page.goto(url);
    await page.getByRole('button', { name: 'Cancel this order' }).click();
    await page.getByRole('heading', { name: 'This order is cancelled' }).waitFor();
    await world.untilStatus(orderId, 'CANCELLED');
    await takePictures(page, 'payment-page-cancelled');
    expect(await findBarriers(page)).toEqual([]);
  });
});

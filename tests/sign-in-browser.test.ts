import { SignJWT } from 'jose';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../platform/free-port.ts';
import { launchBrowser, viewports } from './support/browser.ts';
import type { Created } from '../dev/invariants/shop-client.ts';
import { newCustomer, ONE_PENCIL, startWorld, type World } from './support/world.ts';

const SECRET = 'shared-secret-of-32-characters-or-more';

let world: World;
let browser: Browser;
beforeAll(async () => {
  const port = String(await freePort());
  [world, browser] = await Promise.all([
    startWorld({
      API_PORT: port,
      // To a browser another site than the sandbox, which is at 127.0.0.1: as a shop is to Stripe.
      PUBLIC_URL: `http://localhost:${port}`,
      AUTH_SHARED_SECRET: SECRET,
      AUTH_ISSUER: 'shop',
      AUTH_AUDIENCE: 'orders',
      ORDER_LINK_SECRET: 'link-secret-of-32-characters-or-more',
    }),
    launchBrowser(),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await world?.stop();
});

/** As docs/deployment.md has it for a shop's own server. */
async function createOrder(): Promise<Created> {
  const customerId = newCustomer();
  const token = await new SignJWT({ sub: customerId })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer('shop')
    .setAudience('orders')
    .setExpirationTime('5m')
    .sign(new TextEncoder().encode(SECRET));
  const body = { customerID: customerId, items: ONE_PENCIL };
  const headers = { authorization: `Bearer ${token}` };
  const answer = await world.post<Created>(`/api/customer/${customerId}/create`, body, headers);
  expect(answer.status).toBe(200);
  return answer.body.data;
}

async function openWindow(): Promise<Page> {
  const context = await browser.newContext({ viewport: viewports.phone });
  context.setDefaultTimeout(25_000);
  onTestFinished(() => context.close());
  return context.newPage();
}

test(
  'a customer with a signed link pays at another site, and comes back to the order',
  { timeout: 60_000 },
  async () => {
    const page = await openWindow();
    const { order_id: orderId, redirect_url: url } = await createOrder();
    await page.goto(url);
    // The link to pay appears by itself: the page asks with its token.
    await page.locator('#pay').click();
    // What Stripe has of the shop's address is without the token.
    await page.getByRole('link', { name: 'Back to the shop' }).click();
    await page.waitForURL(url);

    await page.locator('#pay').click();
    await page.getByLabel('Card number').fill('4242 4242 4242 4242');
    await page.getByLabel('Expiry (MM / YY)').fill('12 / 40');
    await page.getByLabel('CVC').fill('123');
    await page.getByLabel('Name on card').fill('Ada Lovelace');
    await page.getByRole('button', { name: 'Pay $1.00' }).click();
    await page.getByRole('heading', { name: 'Your order is on its way' }).waitFor();
    expect(page.url()).toContain(url);
    await world.untilStatus(orderId, 'FINISHED');
  },
);

test('a customer cancels on the page of a signed link', async () => {
  const page = await openWindow();
  const { order_id: orderId, redirect_url: url } = await createOrder();
  await page.goto(url);
  await page.getByRole('button', { name: 'Cancel this order' }).click();
  await page.getByRole('heading', { name: 'This order is cancelled' }).waitFor();
  expect((await world.order(orderId)).status).toBe('CANCELLED');
});

test('who comes back in another browser is told that the order is safe', async () => {
  const page = await openWindow();
  const { customer_id: customerId, order_id: orderId } = await createOrder();
  await page.goto(`${world.config.publicUrl}/payment/return?customer-id=${customerId}&order-id=${orderId}`);
  expect(await page.getByRole('main').innerText()).toContain('If you have just paid, your order is safe');
});

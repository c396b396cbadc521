import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { hasChromium } from '../dev/stack/chromium.ts';
import { findBarriers, launchBrowser, takePictures, viewports } from './support/browser.ts';
import { BOOK, PENCIL, startWorld, type World } from './support/world.ts';

const TOKEN = 'operator-token-of-32-characters';
/** What a name, a reason or an id may be, if somebody means ill. */
const EVIL = '"><img src=x onerror=alert(1)><script>alert(1)</script>';

let world: World;
let browser: Browser;
let context: BrowserContext;
beforeAll(async () => {
  [world, browser] = await Promise.all([
    startWorld({ OPERATOR_TOKEN: TOKEN, STRIPE_RETRY_MAX_SECONDS: '0.2' }),
    launchBrowser(),
  ]);
  context = await browser.newContext({ viewport: viewports.desktop });
  context.setDefaultTimeout(25_000);
  // One sign-in for most of the tests: tries are limited.
  const page = await context.newPage();
  await signIn(page);
  await page.close();
});
afterAll(async () => {
  await browser?.close();
  await world?.stop();
});

const urlOf = (path: string) => `${world.config.publicUrl}${path}`;

async function signIn(page: Page): Promise<void> {
  await page.goto(urlOf('/operator'));
  await page.getByLabel('Your operator token').fill(TOKEN);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Today' }).waitFor();
}

/** A page of the desk, signed in; what it complains of fails the test. */
async function openDesk(path: string, of: BrowserContext = context): Promise<Page> {
  const page = await of.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => complaints.push(dialog.message()));
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('the server responded')) complaints.push(message.text());
  });
  onTestFinished(async () => {
    await page.close();
    expect(complaints).toEqual([]);
  });
  await page.goto(urlOf(path));
  return page;
}

/** No barrier at either size, in either colour scheme. */
async function expectOpenToAll(page: Page, name: string): Promise<void> {
  await takePictures(page, name);
  for (const size of Object.values(viewports)) {
    await page.setViewportSize(size);
    expect(await findBarriers(page)).toEqual([]);
    const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
    expect(overflow, `${name} is wider than ${size.width} pixels`).toBeLessThanOrEqual(0);
  }
  await page.setViewportSize(viewports.desktop);
}

const done = (page: Page) => page.locator('main > [role=status]').innerText();

describe.skipIf(!hasChromium())('an operator at the desk', { timeout: 90_000 }, () => {
  test('signs in, and out, and is let in no more', async () => {
    const own = await browser.newContext({ viewport: viewports.desktop });
    own.setDefaultTimeout(25_000);
    onTestFinished(() => own.close());
    const page = await openDesk('/operator/items', own);
    await expectOpenToAll(page, 'desk-sign-in');
    await page.getByLabel('Your operator token').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    expect(await page.getByRole('alert').innerText()).toContain('token');
    await page.getByLabel('Your operator token').fill(TOKEN);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Items' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Your operator token').waitFor();
    await page.goto(urlOf('/operator'));
    expect(await page.getByLabel('Your operator token').count()).toBe(1);
  });

  test('sees what needs a person first, with what to do', async () => {
    const { orderId } = await world.finishedOrder();
    await world.stripe.openDispute(await chargeOf(orderId));
    await world.untilEvent(orderId, 'payment.disputed');
    const page = await openDesk('/operator');
    const need = page.getByRole('listitem').filter({ hasText: orderId });
    expect(await need.innerText()).toContain('Answer it at Stripe before its deadline.');
    await expectOpenToAll(page, 'desk-today');
    await need.getByRole('link', { name: orderId }).click();
    await page.getByRole('heading', { name: `Order ${orderId}` }).waitFor();
    expect(await page.locator('.needs').innerText()).toContain('Dispute');
    await expectOpenToAll(page, 'desk-order');
  });

  test('finds orders by any id, by customer, status and day', async () => {
    const order = await world.finishedOrder();
    const page = await openDesk('/operator');
    const { orderId, customerId, traceId, paymentIntentId, checkoutSessionId, trackingNumber } = order;
    for (const id of [orderId, traceId, paymentIntentId, checkoutSessionId, trackingNumber]) {
      await page.getByLabel('Search orders').fill(id ?? '');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: `Order ${orderId}` }).waitFor();
    }
    await page.getByLabel('Search orders').fill(customerId);
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByRole('heading', { name: 'Orders' }).waitFor();
    expect(await page.getByRole('rowheader').allInnerTexts()).toEqual([orderId]);
    await page.getByLabel('Status').selectOption('FINISHED');
    await page.getByLabel('From').fill(new Date(Date.now() - 86_400_000).toISOString().slice(0, 10));
    await page.getByLabel('Up to').fill(new Date().toISOString().slice(0, 10));
    await page.getByRole('button', { name: 'Show' }).click();
    expect(await page.getByRole('rowheader').allInnerTexts()).toEqual([orderId]);
    await expectOpenToAll(page, 'desk-orders');
    await page.getByLabel('Status').selectOption('EXPIRED');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByText('No such orders.').waitFor();
    await page.getByLabel('Search orders').fill(EVIL);
    await page.keyboard.press('Enter');
    await page.getByText('There is nothing with the id').waitFor();
  });

  test('cancels an order after a look at what will happen', async () => {
    const order = await world.orderWaitingForPayment([{ itemID: PENCIL, quantity: 2 }]);
    const stock = await world.stockOf(PENCIL);
    const page = await openDesk(`/operator/orders/${order.orderId}`);
    await page.getByRole('link', { name: 'Cancel the order' }).click();
    expect(await page.getByRole('main').innerText()).toContain('Back into stock: 2 × Pencil.');
    await expectOpenToAll(page, 'desk-cancel');
    await page.getByRole('link', { name: 'Keep it' }).click();
    await page.getByRole('link', { name: 'Cancel the order' }).click();
    await page.getByLabel('Reason').fill(EVIL);
    await page.getByRole('button', { name: 'Cancel the order' }).click();
    expect(await done(page)).toBe('The order is cancelled.');
    const cancelled = await world.untilStatus(order.orderId, 'CANCELLED');
    expect(cancelled.timeline.at(-1)).toMatchObject({ detail: `${EVIL}.`, data: { by: 'OPERATOR_TOKEN' } });
    expect(await world.stockOf(PENCIL)).toBe(stock + 2);
    expect(await page.locator('.timeline').innerText()).toContain(EVIL);
    // The customer's page shows the reason too.
    await page.getByRole('link', { name: 'their page' }).click();
    await page.getByRole('heading', { name: 'This order is cancelled' }).waitFor();
  });

  test('refunds a finished order, without its goods coming back', async () => {
    const order = await world.finishedOrder();
    const stock = await world.stockOf(PENCIL);
    const page = await openDesk(`/operator/orders/${order.orderId}`);
    await page.getByRole('link', { name: 'Refund' }).click();
    expect(await page.getByRole('main').innerText()).toContain('All that is left, $1.00, or a part of it');
    await expectOpenToAll(page, 'desk-refund');
    await page.getByLabel('do not come back').check();
    await page.getByLabel('Reason').fill('Broken on arrival');
    await page.getByRole('button', { name: 'Refund' }).click();
    expect(await done(page)).toBe('Stripe has accepted the refund.');
    const refunded = await world.untilStatus(order.orderId, 'REFUNDED');
    expect(refunded.keptAmountMinor).toBe(0);
    expect(await world.stockOf(PENCIL)).toBe(stock);
    expect(refunded.timeline.map(({ data }) => data.by)).toContain('OPERATOR_TOKEN');
    expect((await world.stripe.ledger(order.orderId)).refunds).toMatchObject([{ amountMinor: 100 }]);
  });

  test('refunds an amount, and pieces that come back', async () => {
    const order = await world.orderWaitingForPayment([{ itemID: BOOK, quantity: 3 }]);
    await world.pay(order);
    await world.untilStatus(order.orderId, 'FINISHED');
    const stock = await world.stockOf(BOOK);
    const page = await openDesk(`/operator/orders/${order.orderId}/refund`);
    await page.getByText('Amount or pieces').click();
    await page.getByLabel('An amount').check();
    await page.getByLabel('Amount in USD').fill('99');
    await page.getByRole('button', { name: 'Refund' }).click();
    expect(await page.getByRole('alert').innerText()).toContain('has $15.00 left to refund');
    await page.getByLabel('Amount in USD').fill('1.50');
    await page.getByRole('button', { name: 'Refund' }).click();
    expect(await page.getByRole('main').innerText()).toContain('$13.50 is left then.');
    await page.getByRole('button', { name: 'Refund $1.50' }).click();
    expect(await done(page)).toBe('Stripe has accepted the refund.');

    await page.getByRole('link', { name: 'Refund' }).click();
    await page.getByText('Amount or pieces').click();
    await page.getByLabel('Some pieces').check();
    await page.getByLabel('Book, $5.00 each').fill('2');
    await page.getByLabel('go back into stock').check();
    await page.getByRole('button', { name: 'Refund' }).click();
    expect(await page.getByRole('main').innerText()).toContain('Back into stock: 2 × Book.');
    expect(await world.stockOf(BOOK)).toBe(stock);
    await expectOpenToAll(page, 'desk-refund-part');
    await page.getByRole('button', { name: 'Refund $10.00' }).click();
    expect(await done(page)).toBe('Stripe has accepted the refund.');
    expect(await world.stockOf(BOOK)).toBe(stock + 2);
    expect(await world.order(order.orderId)).toMatchObject({ status: 'FINISHED', keptAmountMinor: 350 });
    const refunds = await page.getByRole('table', { name: 'Refunds' }).innerText();
    for (const text of ['$1.50', 'an amount', '$10.00', '2 × Book', 'back in stock']) expect(refunds).toContain(text);
    await expectOpenToAll(page, 'desk-refunds');
    await page.getByRole('link', { name: 'their page' }).click();
    expect(await page.getByRole('table').innerText()).toMatch(/Refunded\s*−\$1\.50\s*Refunded\s*−\$10\.00/);
    await takePictures(page, 'payment-page-refunds');
  });

  test('ships an order that is held, and calls another one off', async () => {
    const [released, calledOff] = [await heldOrder(), await heldOrder()];
    const page = await openDesk(`/operator/orders/${released}`);
    await page.getByRole('link', { name: 'Ship it anyway' }).click();
    await expectOpenToAll(page, 'desk-release');
    await page.getByRole('button', { name: 'Ship it' }).click();
    expect(await done(page)).toContain('released');
    await world.untilStatus(released, 'FINISHED');

    await page.goto(urlOf(`/operator/orders/${calledOff}/refund`));
    expect(await page.getByLabel('go back into stock').isChecked()).toBe(true);
    await page.getByRole('button', { name: 'Refund' }).click();
    await page.locator('main > [role=status]').waitFor();
    await world.untilStatus(calledOff, 'REFUNDED');
  });

  test('adds an item, changes its price and its stock, and sees who did what and why', async () => {
    const page = await openDesk('/operator/items');
    await page.getByText('Add an item').click();
    await page.getByLabel('Item id').fill('lamp-1');
    await page.getByLabel('Name').fill('Lamp <b>');
    await page.getByLabel('Price').fill('12,50');
    await page.getByRole('button', { name: 'Add the item' }).click();
    expect(await page.getByRole('alert').innerText()).toContain('price must be an amount such as 12.50');
    await expectOpenToAll(page, 'desk-items');
    await page.getByLabel('Price').fill('12.50');
    await page.getByLabel('Pieces in stock').fill('4');
    await page.getByRole('button', { name: 'Add the item' }).click();
    expect(await done(page)).toBe('The item is there.');

    await page.getByLabel('Pieces that came in').fill('-9');
    await page.getByLabel('Why').first().fill('Counted');
    await page.getByRole('button', { name: 'Change the stock' }).click();
    expect(await page.getByRole('alert').innerText()).toContain('4 are available');
    await page.getByLabel('Pieces that came in').fill('-1');
    await page.getByRole('button', { name: 'Change the stock' }).click();
    expect(await done(page)).toBe('The stock is changed.');
    expect(await world.stockOf('lamp-1')).toBe(3);

    await page.getByLabel('Price in USD').fill('14');
    await page.getByLabel('On sale').selectOption('no');
    await page.getByLabel('Why').last().fill(EVIL);
    await page.getByRole('button', { name: 'Change the item' }).click();
    expect(await done(page)).toBe('The item is changed, for orders from now on.');
    const changes = await page.getByRole('table').innerText();
    for (const text of ['price: $12.50 → $14.00', 'on sale: true → false', 'available: 4 → 3', 'Counted', EVIL]) {
      expect(changes).toContain(text);
    }
    expect(changes).toContain('OPERATOR_TOKEN');
    await expectOpenToAll(page, 'desk-item');
  });

  test('is not moved by another site that has them send a form', async () => {
    const order = await world.newOrder([{ itemID: BOOK, quantity: 1 }]);
    const page = await openDesk(`/operator/orders/${order.orderId}`);
    const [session] = await context.cookies(urlOf('/operator'));
    expect(session).toMatchObject({ httpOnly: true, sameSite: 'Strict' });
    const elsewhere = await serveForm(urlOf(`/operator/orders/${order.orderId}/cancel`));
    const answered = page.waitForResponse((response) => response.url().endsWith('/cancel'));
    await page.goto(elsewhere);
    await page.getByRole('button', { name: 'Win a prize' }).click();
    expect((await answered).status()).toBe(401);
    expect((await world.order(order.orderId)).status).not.toBe('CANCELLED');
    await world.cancel(order);
  });
});

/** An order that is paid, and not shipped since Stripe asks for a review of its payment. */
async function heldOrder(): Promise<string> {
  const order = await world.orderWaitingForPayment([{ itemID: BOOK, quantity: 1 }]);
  await world.stripe.addWebhookRule({
    types: ['checkout.session.completed'],
    action: { type: 'drop' },
    probability: 1,
  });
  await world.pay(order);
  await world.stripe.openReview(await chargeOf(order.orderId));
  await world.untilEvent(order.orderId, 'fulfillment.held');
  await world.stripe.clearWebhookRules();
  return order.orderId;
}

async function chargeOf(orderId: string): Promise<string> {
  const { charges } = await world.stripe.ledger(orderId);
  return charges[0]?.id ?? '';
}

/** Another site, with a form that goes to this address. */
async function serveForm(action: string): Promise<string> {
  const server = createServer((_request, response) => {
    response
      .setHeader('content-type', 'text/html')
      .end(`<form method="post" action="${action}"><button>Win a prize</button></form>`);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://localhost:${(server.address() as AddressInfo).port}/`;
}

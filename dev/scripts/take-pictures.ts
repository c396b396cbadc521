import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { z } from 'zod';
import { createSandboxAdmin } from '../stripe-sandbox/admin-client.ts';
import { CUSTOMER_ID_ATTRIBUTE, ORDER_STATUS_ATTRIBUTE } from '../../contracts/messages.ts';

const NAMESPACE = 'default';
const PENCIL = 'prod_SNjRcpjxpiazxk';
const BOOK = 'prod_SNjQpQjNC8QuaD';
/** Customer and items of the README's order. */
const CUSTOMER = '0a69556f-fe95-48eb-bb0a-099d9b0f2a50';
const ITEMS = [
  { itemID: PENCIL, quantity: 5 },
  { itemID: BOOK, quantity: 5 },
  { itemID: PENCIL, quantity: 15 },
];

const PHONE = { width: 390, height: 920 };
const DESKTOP = { width: 1280, height: 720 };
const LIST_HEIGHT = 430;
/** A workflow's page with its input and all of its timeline. */
const WORKFLOW_HEIGHT = 1180;
/** Zipkin's head, and a row for each span. */
const TRACE_HEAD_HEIGHT = 300;
const SPAN_HEIGHT = 30;
/** The shop page with two items. */
const SHOP_HEIGHT = 530;
const DESK_HEIGHT = 1000;
/** An order at the desk, down to its timeline. */
const ORDER_HEIGHT = 1000;

const COLUMNS = ['Status', 'Workflow ID', ORDER_STATUS_ATTRIBUTE, CUSTOMER_ID_ATTRIBUTE];
/** What Temporal's Web UI remembers in a browser: narrow side bars, and the search attributes as columns. */
const TEMPORAL_UI_MEMORY = Object.entries({
  navOpen: false,
  savedQueryNavOpen: false,
  'namespace-workflow-table-columns': { [NAMESPACE]: COLUMNS.map((label) => ({ label })) },
}).map(([name, value]) => ({ name, value: JSON.stringify(value) }));

const POLL_MS = 250;
const PATIENCE_MS = 120_000;

/** Where the running system is. */
export type Places = {
  readonly apiUrl: string;
  readonly sandboxUrl: string;
  readonly temporalUiUrl: string;
  readonly zipkinUrl: string;
  /** With which an operator signs in at the desk. */
  readonly operatorToken: string;
};

const createdSchema = z.object({
  data: z.object({ order_id: z.string(), customer_id: z.string(), redirect_url: z.url() }),
  traceID: z.string(),
});
type Created = z.output<typeof createdSchema>;

const traceSchema = z.array(z.object({ name: z.string() }));

/**
 * Places the README's order, pays it in a browser, and takes pictures of it on its way.
 *
 * @param folder where the pictures go, as PNG files
 * @param onPicture told of each file
 * @throws Error naming what did not come in time
 */
export async function takePictures(
  browser: Browser,
  places: Places,
  folder: string,
  onPicture: (file: string) => void,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const save = async (page: Page, name: string): Promise<void> => {
    const path = join(folder, `${name}.png`);
    await page.screenshot({ path, animations: 'disabled' });
    onPicture(path);
  };
  const phone = await browser.newPage({ viewport: PHONE, deviceScaleFactor: 2 });
  const origins = [{ origin: places.temporalUiUrl, localStorage: TEMPORAL_UI_MEMORY }];
  const storageState = { cookies: [], origins };
  const desktop = await browser.newPage({ viewport: DESKTOP, timezoneId: 'UTC', storageState });
  await until('Zipkin', async () => (await fetch(`${places.zipkinUrl}/health`)).ok);

  await phone.setViewportSize({ ...PHONE, height: SHOP_HEIGHT });
  await phone.goto(`${places.apiUrl}/`);
  await phone.getByLabel('Quantity of Book').fill('1');
  await phone.getByLabel('Quantity of Pencil').fill('3');
  await save(phone, 'shop');
  await phone.goto(`${places.apiUrl}/?lang=zh`);
  await phone.getByLabel('Pencil 的数量').fill('3');
  await save(phone, 'shop-chinese');
  await phone.goto(`${places.apiUrl}/?lang=en`);
  await phone.setViewportSize(PHONE);

  await createOrder(places, 'customer-2', [{ itemID: BOOK, quantity: 2 }]);
  await createOrder(places, 'customer-3', [{ itemID: PENCIL, quantity: 3 }]);
  const waiting = await createOrder(places, CUSTOMER, ITEMS);
  await phone.goto(waiting.data.redirect_url);
  await phone.locator('#pay').waitFor();
  await phone.locator('#order summary').click();
  await save(phone, 'payment-page-waiting');
  await desktop.setViewportSize({ ...DESKTOP, height: LIST_HEIGHT });
  await showWaitingOrders(desktop, places, waiting);
  await save(desktop, 'temporal-waiting-orders');
  await desktop.setViewportSize(DESKTOP);
  await showUserMetadata(desktop, places, waiting);
  await save(desktop, 'temporal-current-details');
  await desktop.goto(waiting.data.redirect_url);
  await openHostedPage(desktop);
  await save(desktop, 'stripe-sandbox');

  // Another one that is paid at once: its trace is one of steps, and not of waiting for pictures.
  const paid = await createOrder(places, CUSTOMER, ITEMS);
  await phone.goto(paid.data.redirect_url);
  await openHostedPage(phone);
  await phone.locator('button[type=submit]').click();
  await phone.locator('#order[data-ended=true]').waitFor();
  await phone.locator('#order summary').click();
  await save(phone, 'payment-page-finished');
  await showTimeline(desktop, places, paid);
  await save(desktop, 'temporal-timeline');
  await showTrace(desktop, places, paid);
  await save(desktop, 'zipkin-trace');

  await makeTrouble(places, paid);
  await showDesk(desktop, places, paid);
  await save(desktop, 'desk-today');
  await desktop.locator('.needs').getByRole('link', { name: paid.data.order_id }).click();
  await desktop.getByRole('heading', { name: `Order ${paid.data.order_id}` }).waitFor();
  await desktop.setViewportSize({ ...DESKTOP, height: ORDER_HEIGHT });
  await save(desktop, 'desk-order');
}

async function createOrder({ apiUrl }: Places, customerID: string, items: typeof ITEMS): Promise<Created> {
  const response = await fetch(`${apiUrl}/api/customer/${customerID}/create`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ customerID, items }),
  });
  const body: unknown = await response.json();
  if (!response.ok) throw new Error(`The order was answered ${response.status}: ${JSON.stringify(body)}`);
  return createdSchema.parse(body);
}

/** From the payment page to Stripe's, with the card filled in. */
async function openHostedPage(page: Page): Promise<void> {
  await page.locator('#pay').click();
  await page.locator('#number').fill('4242 4242 4242 4242');
  await page.locator('#expiry').fill('12 / 40');
  await page.locator('#cvc').fill('123');
  await page.locator('#name').fill('Ada Lovelace');
}

async function showWaitingOrders(page: Page, { temporalUiUrl }: Places, { data }: Created): Promise<void> {
  const query = new URLSearchParams({ query: `${ORDER_STATUS_ATTRIBUTE}="WAITING_FOR_PAYMENT"` }).toString();
  await until('the waiting order in the list', async () => {
    await page.goto(`${temporalUiUrl}/namespaces/${NAMESPACE}/workflows?${query}`);
    await page.getByText('WAITING_FOR_PAYMENT').nth(1).waitFor();
    return page.getByText(data.order_id).first().isVisible();
  });
}

async function showUserMetadata(page: Page, places: Places, order: Created): Promise<void> {
  await showWorkflow(page, places, order);
  await page.getByText('User Metadata').click();
  // The Web UI renders what a workflow says in frames of their own.
  const [summary, details] = [page.frameLocator('iframe').first(), page.frameLocator('iframe').last()];
  await summary.getByText(order.data.customer_id).waitFor();
  await details.getByText('waits for its payment').waitFor();
}

async function showTimeline(page: Page, places: Places, order: Created): Promise<void> {
  await page.setViewportSize({ ...DESKTOP, height: WORKFLOW_HEIGHT });
  await showWorkflow(page, places, order);
  await page.getByText('Ship the order').waitFor();
}

async function showWorkflow(page: Page, { temporalUiUrl }: Places, { data }: Created): Promise<void> {
  await page.goto(`${temporalUiUrl}/namespaces/${NAMESPACE}/workflows/${data.order_id}`);
  await page.getByText('orderLifecycle').first().waitFor();
}

/** The workflow's own span comes last, when the workflow has ended. */
async function showTrace(page: Page, { zipkinUrl }: Places, { traceID }: Created): Promise<void> {
  let spans: z.output<typeof traceSchema> = [];
  await until(`the trace ${traceID}`, async () => {
    const response = await fetch(`${zipkinUrl}/api/v2/trace/${traceID}`);
    if (response.ok) spans = traceSchema.parse(await response.json());
    return spans.some(({ name }) => name === 'runworkflow:orderlifecycle');
  });
  await page.setViewportSize({ ...DESKTOP, height: TRACE_HEAD_HEIGHT + SPAN_HEIGHT * spans.length });
  await page.goto(`${zipkinUrl}/zipkin/traces/${traceID}`);
  await page.getByText('fulfillorder').first().waitFor();
}

/** A bad day: the customer of a shipped order disputes its payment, and another payment wants a review before it ships. */
async function makeTrouble(places: Places, shipped: Created): Promise<void> {
  const stripe = createSandboxAdmin(places.sandboxUrl);
  const chargeOf = async ({ data }: Created) => (await stripe.ledger(data.order_id)).charges[0]?.id ?? '';
  const held = await createOrder(places, 'customer-4', [{ itemID: BOOK, quantity: 3 }]);
  await stripe.addWebhookRule({ types: ['checkout.session.completed'], action: { type: 'drop' }, probability: 1 });
  await until('the payment page of the order', async () => {
    const [session] = await stripe.sessions(held.data.order_id);
    return session !== undefined && (await stripe.pay(session.id)).outcome === 'succeeded';
  });
  await stripe.openReview(await chargeOf(held));
  await stripe.openDispute(await chargeOf(shipped));
  await stripe.clearWebhookRules();
}

async function showDesk(page: Page, { apiUrl, operatorToken }: Places, disputed: Created): Promise<void> {
  await page.setViewportSize({ ...DESKTOP, height: DESK_HEIGHT });
  await page.goto(`${apiUrl}/operator`);
  await page.getByLabel('Your operator token').fill(operatorToken);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await until('what needs a person', async () => {
    await page.reload();
    const told = await page.locator('.needs').innerText();
    return told.includes(disputed.data.order_id) && told.includes('Shipment held');
  });
}

/** @throws Error if it does not pass in time; a failure before that is retried */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const outcome = await holds().catch((cause: unknown) => ({ cause }));
    if (outcome === true) return;
    if (Date.now() > deadline) {
      throw new Error(`Did not come within ${PATIENCE_MS / 1000} s: ${what}`, outcome === false ? {} : outcome);
    }
    await sleep(POLL_MS);
  }
}

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Stripe } from 'stripe';
import { onTestFinished } from 'vitest';
import { createSandboxAdmin, type SandboxAdmin } from '../admin-client.ts';
import { createStripeSandbox, type StripeSandbox, type StripeSandboxOptions } from '../sandbox.ts';

export const API_KEY = 'sk_test_of_the_tests';
const WEBHOOK_SECRET = 'whsec_of_the_tests';
export const SHOP = 'http://127.0.0.1:9';

export type TestSandbox = { sandbox: StripeSandbox; url: string; stripe: Stripe; admin: SandboxAdmin };

/** A sandbox on a free port that ends with the test, with the real SDK and the admin client pointed at it. */
export async function startSandbox(options: Partial<StripeSandboxOptions> = {}): Promise<TestSandbox> {
  const sandbox = createStripeSandbox({ apiKey: API_KEY, webhookSecret: WEBHOOK_SECRET, ...options });
  onTestFinished(async () => sandbox.close());
  const url = await sandbox.listen({ host: '127.0.0.1', port: 0 });
  return { sandbox, url, stripe: stripeFor(url), admin: createSandboxAdmin(url) };
}

export function stripeFor(url: string, apiKey = API_KEY): Stripe {
  const { hostname, port } = new URL(url);
  return new Stripe(apiKey, { host: hostname, port, protocol: 'http', maxNetworkRetries: 0, telemetry: false });
}

/** The request that the product makes for an order of 20 pencils and 5 books. */
export function orderParams(
  orderId = 'order_1',
  more: Partial<Stripe.Checkout.SessionCreateParams> = {},
): Stripe.Checkout.SessionCreateParams {
  return {
    mode: 'payment',
    client_reference_id: orderId,
    line_items: [line('Pencil', 100, 20), line('Book', 500, 5)],
    metadata: { order_id: orderId },
    payment_intent_data: { metadata: { order_id: orderId } },
    success_url: `${SHOP}/payment?session={CHECKOUT_SESSION_ID}`,
    cancel_url: `${SHOP}/payment`,
    ...more,
  };
}

export function line(name: string, unitAmount: number, quantity: number, currency = 'usd') {
  return { price_data: { currency, unit_amount: unitAmount, product_data: { name } }, quantity };
}

/** Pays the order of {@link orderParams}, 45 dollars, and tells what was charged. */
export async function paidOrder({ stripe, admin }: TestSandbox, card?: string, orderId = 'order_1') {
  const { id: sessionId } = await stripe.checkout.sessions.create(orderParams(orderId));
  await admin.pay(sessionId, card === undefined ? {} : { card });
  const charge = (await admin.ledger(orderId)).charges.at(-1);
  if (charge === undefined || charge.paymentIntentId === null) throw new Error('Nothing was charged.');
  return { sessionId, chargeId: charge.id, paymentIntentId: charge.paymentIntentId };
}

/** The types of the events that an action causes. */
export async function eventsOf({ admin }: TestSandbox, action: () => Promise<unknown>): Promise<string[]> {
  const before = (await admin.events()).length;
  await action();
  return (await admin.events()).slice(before).map(({ type }) => type);
}

export type Receiver = {
  url: string;
  events: Stripe.Event[];
  /** Statuses that the next requests are answered with; 200 when there are none left. */
  answers: number[];
  types: () => string[];
};

/** A webhook endpoint that takes nothing whose signature is wrong. */
export async function startReceiver(secret = WEBHOOK_SECRET): Promise<Receiver> {
  const events: Stripe.Event[] = [];
  const answers: number[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      try {
        const signature = request.headers['stripe-signature'] ?? '';
        events.push(Stripe.webhooks.constructEvent(Buffer.concat(chunks), signature, secret));
        response.statusCode = answers.shift() ?? 200;
      } catch {
        response.statusCode = 400;
      }
      response.end();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/webhook`, events, answers, types: () => events.map(({ type }) => type) };
}

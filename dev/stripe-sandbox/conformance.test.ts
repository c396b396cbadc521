import { MockActivityEnvironment } from '@temporalio/testing';
import { Stripe } from 'stripe';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createBooksActivities } from '../../activities/books.ts';
import { createPaymentActivities } from '../../activities/payment.ts';
import { createDatabase } from '../../database/database.ts';
import { createTestDatabase } from '../stack/test-database.ts';
import { loadStripeSchemas, startStripeMock, stripeMockMissing, type StripeMock } from './testing/stripe-mock.ts';
import { API_KEY, orderParams, startSandbox, type TestSandbox } from './testing/test-support.ts';

const missing = stripeMockMissing();
const SETUP_TIMEOUT_MS = 400_000;

/** Fields of the SDK's own types that the document, of an older API version, does not have. */
const SDK_ONLY_FIELDS: Readonly<Record<string, readonly string[]>> = {
  'checkout.session': ['allowed_payment_method_types'],
  charge: ['source', 'payment_method_details.card.electronic_commerce_indicator'],
  dispute: ['intended_submission_method', 'evidence_details.submission_method'],
  payment_intent: ['payment_record', 'source'],
};

describe.skipIf(missing !== undefined)(
  `against Stripe's OpenAPI document${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let schemas: Awaited<ReturnType<typeof loadStripeSchemas>>;
    beforeAll(async () => {
      schemas = await loadStripeSchemas();
    }, SETUP_TIMEOUT_MS);

    const problems = (name: string, object: object): string[] => {
      const wire = JSON.parse(JSON.stringify(object)) as Record<string, unknown>;
      for (const path of SDK_ONLY_FIELDS[name] ?? []) removeField(wire, path.split('.'));
      const validate = schemas(name);
      validate(wire);
      return (validate.errors ?? []).map(
        ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
      );
    };

    test('every object that the sandbox makes', async () => {
      const world = await startSandbox();
      await everything(world);
      const { admin, stripe } = world;
      const seen = new Map<string, Set<string>>();
      for (const event of await admin.events()) {
        const object = event.data.object as { object: string };
        expect.soft(problems(object.object, object), event.type).toEqual([]);
        expect.soft(problems('event', { ...event, data: { object: {} } }), event.type).toEqual([]);
        seen.set(object.object, (seen.get(object.object) ?? new Set()).add(event.type));
      }
      expect([...seen.keys()].toSorted()).toEqual([
        'charge',
        'checkout.session',
        'dispute',
        'payment_intent',
        'radar.early_fraud_warning',
        'refund',
        'review',
      ]);
      expect([...seen.values()].reduce((sum, types) => sum + types.size, 0)).toBeGreaterThanOrEqual(27);
      const [session] = await admin.sessions();
      for (const item of (await stripe.checkout.sessions.listLineItems(session?.id ?? '')).data) {
        expect(problems('item', item)).toEqual([]);
      }
      const refused = await stripe.refunds.create({ charge: 'ch_none' }).catch((error: unknown) => error);
      const { type, message, param, code } = (refused as Stripe.errors.StripeError).raw as Stripe.StripeRawError;
      expect(problems('error', { error: { type, message, param, code } })).toEqual([]);
    });

    test('the check itself notices what is missing, wrong or unknown', async () => {
      const { stripe } = await startSandbox();
      const session = await stripe.checkout.sessions.create(orderParams());
      const { expires_at: _, ...without } = session;
      expect(problems('checkout.session', without).join()).toContain('expires_at');
      expect(problems('checkout.session', { ...session, amount_total: '45' }).join()).toContain('/amount_total');
      expect(problems('checkout.session', { ...session, invented: 1 }).join()).toContain('invented');
    });
  },
);

describe.skipIf(missing !== undefined)(
  `against a running stripe-mock${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let mock: StripeMock;
    beforeAll(async () => {
      mock = await startStripeMock();
    }, SETUP_TIMEOUT_MS);
    afterAll(() => mock?.stop());

    const replay = async ({ method, path, body }: Recorded) => {
      const response = await fetch(`${mock.url}${path}`, {
        method,
        headers: { authorization: 'Bearer sk_test_123', 'content-type': 'application/x-www-form-urlencoded' },
        ...(method === 'GET' ? {} : { body }),
      });
      return { status: response.status, answer: await response.text() };
    };

    test("it takes the product's own requests", async () => {
      const world = await startSandbox();
      const requests = await productRequests(world);
      const readsOfCharge = [
        'GET /v1/payment_intents/:id?expand[0]=latest_charge.review',
        'GET /v1/refunds?payment_intent=:id&limit=100',
        'GET /v1/radar/early_fraud_warnings?payment_intent=:id&limit=100',
      ];
      expect(requests.map(({ method, path }) => `${method} ${path.replaceAll(/(cs|pi)_\w+/g, ':id')}`)).toEqual([
        'POST /v1/checkout/sessions',
        'GET /v1/checkout/sessions/:id?expand[0]=payment_intent',
        ...readsOfCharge,
        ...readsOfCharge,
        'POST /v1/refunds',
        'POST /v1/checkout/sessions',
        'POST /v1/checkout/sessions/:id/expire',
        'GET /v1/charges?created[gte]=0&limit=50',
        'GET /v1/refunds?created[gte]=0&limit=50&expand[0]=data.charge',
        'GET /v1/disputes?created[gte]=0&limit=20&expand[0]=data.charge',
      ]);
      for (const request of requests) {
        expect(await replay(request).then(({ status }) => `${request.path}: ${status}`)).toBe(`${request.path}: 200`);
      }
      const [create] = requests;
      if (create === undefined) throw new Error('Nothing was recorded.');
      expect(await replay({ ...create, body: `${create.body}&invented=1` })).toMatchObject({ status: 400 });
    });

    test('it and the sandbox refuse the same requests', async () => {
      const { url } = await startSandbox();
      const bodies = ['mode=payment&foo=1', 'mode=payment&success_url=https%3A%2F%2Fa.b&line_items[0][quantity]=x'];
      for (const body of bodies) {
        const request = { method: 'POST', path: '/v1/checkout/sessions', body };
        const own = await fetch(`${url}${request.path}`, {
          method: 'POST',
          headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/x-www-form-urlencoded' },
          body,
        });
        const mocks = await replay(request);
        expect({ body, own: own.status, mocks: mocks.status }).toEqual({ body, own: 400, mocks: 400 });
      }
    });
  },
);

function removeField(object: Record<string, unknown>, [field = '', ...rest]: string[]): void {
  const inner = object[field];
  if (rest.length === 0) delete object[field];
  else if (typeof inner === 'object' && inner !== null) removeField(inner as Record<string, unknown>, rest);
}

type Recorded = { method: string; path: string; body: string };

/** What the product sends to Stripe in an order's life, recorded on its way to the sandbox. */
async function productRequests({ url, admin }: TestSandbox): Promise<Recorded[]> {
  const recorded: Recorded[] = [];
  const recording: typeof fetch = async (input, init) => {
    const target = new URL(input instanceof Request ? input.url : input);
    recorded.push({
      method: init?.method ?? 'GET',
      path: `${target.pathname}${decodeURIComponent(target.search)}`,
      body: typeof init?.body === 'string' ? init.body : '',
    });
    return fetch(input, init);
  };
  const { hostname, port } = new URL(url);
  const stripe = new Stripe(API_KEY, {
    host: hostname,
    port,
    protocol: 'http',
    maxNetworkRetries: 0,
    httpClient: Stripe.createFetchHttpClient(recording),
  });
  const activities = createPaymentActivities({ stripe });
  const run = async <T>(activity: () => Promise<T>): Promise<T> =>
    (await new MockActivityEnvironment().run(activity)) as T;
  const order = {
    lines: [
      { itemId: 'prod_1', name: 'Pencil', quantity: 20, unitAmountMinor: 100, currency: 'USD' },
      { itemId: 'prod_2', name: 'Book', quantity: 5, unitAmountMinor: 500, currency: 'USD' },
    ],
    successUrl: 'http://127.0.0.1:8101/payment?customer-id=a&order-id=b',
    cancelUrl: 'http://127.0.0.1:8101/payment?customer-id=a&order-id=b',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    generation: 0,
  };
  const paid = await run(() => activities.createCheckoutSession({ ...order, orderId: 'order_1' }));
  await admin.pay(paid.sessionId);
  const { paymentIntentId } = await run(() => activities.readCheckoutSession(paid.sessionId));
  await run(() =>
    activities.refundPayment({ orderId: 'order_1', paymentIntentId: paymentIntentId ?? '', generation: 0 }),
  );
  const expired = await run(() => activities.createCheckoutSession({ ...order, orderId: 'order_2' }));
  await run(() => activities.closeCheckoutSession(expired.sessionId));
  const testDatabase = await createTestDatabase(inject('databaseUrl'));
  const database = createDatabase({ url: testDatabase.url, poolSize: 1, name: 'test' });
  const books = createBooksActivities({ stripe, database });
  for (const list of ['charges', 'refunds', 'disputes'] as const) {
    await books.lookAtBooks({ position: { list, after: null, looks: 0 }, startedAtMs: Date.now(), lookedFromMs: 0 });
  }
  await database.end();
  await testDatabase.drop();
  return recorded;
}

/** Brings the sandbox to every state that it knows, so that its events hold every form of its objects. */
async function everything({ stripe, admin }: TestSandbox): Promise<void> {
  const open = async (orderId: string) => (await stripe.checkout.sessions.create(orderParams(orderId))).id;
  const refunded = await open('refunded');
  await admin.pay(refunded, { card: '4000000000009995' });
  const { paymentIntentId } = await admin.pay(refunded);
  const refund = await stripe.refunds.create({ payment_intent: paymentIntentId ?? '', reason: 'duplicate' });
  await admin.failRefund(refund.id);
  const disputed = await open('disputed');
  await admin.pay(disputed, { card: '4000000000000259' });
  const [dispute] = (await admin.ledger('disputed')).disputes;
  await admin.closeDispute(dispute?.id ?? '', 'won');
  const partly = await open('partly');
  const sold = await admin.pay(partly);
  await admin.refundAtDashboard(sold.paymentIntentId ?? '', { amountMinor: 500 });
  const pending = await admin.refundAtDashboard(sold.paymentIntentId ?? '', { amountMinor: 700, pending: true });
  await admin.settleRefund(pending.id);
  const [charge] = (await admin.ledger('partly')).charges;
  await admin.openFraudWarning(charge?.id ?? '');
  const { id: inquiry } = await admin.openDispute(charge?.id ?? '', 'general', { amountMinor: 4500, inquiry: true });
  await admin.submitEvidence(inquiry);
  await admin.escalateInquiry(inquiry);
  await admin.closeDispute(inquiry, 'lost');
  for (const reason of ['approved', 'refunded_as_fraud', 'disputed'] as const) {
    const reviewed = await open(`reviewed ${reason}`);
    await admin.pay(reviewed, { card: '4000000000009235' });
    await admin.closeReview((await admin.ledger(`reviewed ${reason}`)).charges[0]?.reviewId ?? '', reason);
  }
  for (const card of ['4000000000001976', '4000000000005423', '4000000000007726']) {
    const cardOfStripe = await open(card);
    const { paymentIntentId: paid } = await admin.pay(cardOfStripe, { card });
    await stripe.refunds.create({ payment_intent: paid ?? '' });
  }
  await admin.payLinkSale({ clientReferenceId: 'sold', amountMinor: 500, currency: 'jpy' });
  const confirmed = await open('confirmed');
  await admin.pay(confirmed, { card: '4000002500003155', threeDSecure: 'fail' });
  await admin.pay(confirmed, { card: '4000002500003155', threeDSecure: 'pass' });
  for (const result of ['succeeded', 'failed'] as const) {
    const debited = await open(result);
    await admin.pay(debited, { method: 'bank_debit' });
    await admin.settle(debited, result);
  }
  const expired = await open('expired');
  await admin.pay(expired, { card: '4000000000000002' });
  await stripe.checkout.sessions.expire(expired);
  const direct = await stripe.paymentIntents.create({
    amount: 500,
    currency: 'usd',
    payment_method: 'pm_card_authenticationRequired',
    confirm: true,
    return_url: 'https://shop.example/back',
    automatic_payment_methods: { enabled: true },
  });
  await stripe.paymentIntents.cancel(direct.id, { cancellation_reason: 'abandoned' });
}

import { describe, expect, test, vi } from 'vitest';
import type { OrderRecord } from '../../../database/orders.ts';
import { orderStatuses } from '../../../domain/order-status.ts';
import { startApi } from '../../testing/api.ts';
import { orderRecord, timelineEntry } from '../../testing/fakes.ts';
import { english } from '../languages/english.ts';
import { describeForCustomer, type Notice } from './customer-words.ts';
import { renderPaymentPage } from './payment-page.ts';

const pageOf = (order: OrderRecord) => renderPaymentPage(order, { texts: english });
const wordsOf = (order: OrderRecord, notice?: Notice) => describeForCustomer(order, english, notice);

const LINK = 'https://checkout.stripe.example/c/pay/cs_1?a=1&b=2';

function waiting(...later: readonly [string, string][]): OrderRecord {
  const timeline = [['payment.requested', 'The payment link is ready.'] as const, ...later];
  return orderRecord({
    status: 'WAITING_FOR_PAYMENT',
    paymentLink: LINK,
    timeline: timeline.map(([event, detail], index) =>
      timelineEntry({ seq: index + 1, status: 'WAITING_FOR_PAYMENT', event, detail }),
    ),
  });
}

function ended(
  status: OrderRecord['status'],
  event: string,
  detail: string,
  ...later: [string, string][]
): OrderRecord {
  const entries = [[event, detail] as const, ...later];
  return orderRecord({
    status,
    timeline: entries.map(([name, text], index) =>
      timelineEntry({ seq: index + 1, status, event: name, detail: text }),
    ),
  });
}

describe('the page of an order', () => {
  test('shows lines, amounts, total and the link to pay', () => {
    const page = pageOf(waiting());
    for (const text of ['Pencil', '20 × $1.00', '$20.00', 'Book', '5 × $5.00', '$25.00', 'Pay $45.00']) {
      expect(page).toContain(text);
    }
    expect(page).toContain('href="https://checkout.stripe.example/c/pay/cs_1?a&#61;1&#38;b&#61;2"');
    expect(page).toContain('Cancel this order');
  });

  test.each(orderStatuses)('has words, and no code, for %s', (status) => {
    const order = orderRecord({ status });
    const page = pageOf(order);
    expect(wordsOf(order).headline).not.toBe('');
    expect(page).not.toContain(status);
    expect(page).not.toContain('undefined');
  });

  test('offers to pay only while the order waits for it', () => {
    const payable = orderStatuses.filter((status) =>
      pageOf(orderRecord({ status, paymentLink: LINK })).includes('id="pay"'),
    );
    expect(payable).toEqual(['WAITING_FOR_PAYMENT']);
    expect(pageOf({ ...waiting(), paymentLink: 'javascript:alert(1)' })).not.toContain('javascript');
  });

  test('follows its order until the end, and no longer', () => {
    const pages = orderStatuses.map((status) => [status, pageOf(orderRecord({ status }))] as const);
    const followed = ['PENDING', 'WAITING_FOR_PAYMENT', 'PAID'];
    const having = (text: string) => pages.filter(([, page]) => page.includes(text)).map(([status]) => status);
    expect(having('http-equiv="refresh"')).toEqual(followed);
    expect(having('data-ended="false"')).toEqual(followed);
  });

  test('says why the last payment failed, and lets the customer try again', () => {
    const words = wordsOf(waiting(['payment.failed', 'The payment failed: there are insufficient funds.']));
    expect(words).toMatchObject({ canPay: true, alerts: ['The payment failed: there are insufficient funds.'] });
  });

  test('asks for nothing while a delayed payment is on its way', () => {
    const order = waiting(['payment.failed', 'declined'], ['payment.processing', 'on its way']);
    expect(wordsOf(order)).toMatchObject({ canPay: false, canCancel: false, alerts: [] });
    expect(pageOf(order)).not.toContain('id="pay"');
  });

  test('shows the tracking number of a shipped order', () => {
    expect(pageOf(orderRecord({ status: 'FINISHED', trackingNumber: 'TRK-1' }))).toContain('TRK-1');
  });

  test('says why an order ended, and what became of a payment that came later', () => {
    const order = ended('EXPIRED', 'order.expired', 'It was not paid in time.', [
      'payment.returned',
      'It was given back.',
    ]);
    expect(wordsOf(order)).toMatchObject({
      text: expect.stringContaining('It was not paid in time.'),
      alerts: ['It was given back.'],
      ended: true,
    });
  });

  test.each(['payment.disputed', 'payment.in_review', 'dispute.closed', 'refund.failed', 'payment.ignored'])(
    'keeps what is between the shop and the bank off the page: %s',
    (event) => {
      const page = pageOf(ended('FINISHED', 'order.finished', 'Shipped.', [event, 'DISPUTE']));
      expect(page).not.toContain('DISPUTE');
    },
  );

  test('offers nothing more once the order is being cancelled', () => {
    const words = wordsOf(waiting(), 'cancelling');
    expect(words).toMatchObject({ canPay: false, canCancel: false, ended: false });
    expect(wordsOf(orderRecord({ status: 'PAID' }), 'cancelling').headline).toContain('Thank you');
  });

  test.each([
    [29 * 60_000 + 59_000, '29 minutes left'],
    [60_000, '1 minute left'],
    [59_000, 'less than a minute left'],
    [3 * 3_600_000 + 60_000, '3 h 1 min left'],
    [0, 'The time to pay has just ended'],
  ])('says how long is left to pay: %i ms', (leftMs, text) => {
    const order = waiting();
    const [requested] = order.timeline;
    const timeline = [{ ...requested!, data: { paymentWindowMs: 6 * 3_600_000 } }];
    const nowMs = requested!.at.getTime() + 6 * 3_600_000 - leftMs;
    const page = (record: OrderRecord) => renderPaymentPage(record, { texts: english, nowMs });
    expect(page({ ...order, timeline })).toContain(text);
    // Nobody knows it of an order that was made before its timeline said so.
    expect(page(order)).not.toContain('time-left');
    expect(page({ ...order, timeline, status: 'EXPIRED' })).not.toContain('time-left');
  });

  test('escapes whatever the shop calls its items', () => {
    const lines = [{ itemId: 'x', name: '<script>alert(1)</script>', quantity: 1, unitAmountMinor: 1 }];
    expect(pageOf(orderRecord({ lines }))).not.toContain('<script>alert');
  });
});

describe('the routes of the page', () => {
  const query = `customer-id=customer-1&order-id=${orderRecord().orderId}`;

  test('serves the page with a strict policy, and keeps it out of caches and frames', async () => {
    const { api } = await startApi({ orders: [waiting()] });
    const { statusCode, headers } = await api.inject({ url: `/payment?${query}` });
    expect(statusCode).toBe(200);
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
  });

  test('serves the styles and scripts that the page names', async () => {
    const { api } = await startApi({ orders: [waiting()] });
    const page = (await api.inject({ url: `/payment?${query}` })).body.replaceAll('&#61;', '=');
    const urls = [...page.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map((match) => String(match[1]));
    expect(urls).toHaveLength(4);
    for (const url of urls) {
      const asset = await api.inject({ url });
      expect(asset.statusCode).toBe(200);
      expect(asset.headers['content-type']).toMatch(/^text\/(css|javascript)/);
    }
  });

  test.each([
    ['an unknown order', `customer-id=customer-1&order-id=${'f'.repeat(24)}`],
    ["another customer's order", query.replace('customer-1', 'customer-2')],
    ['a half link', 'customer-id=customer-1'],
    ['a doubled link', `${query}&${query}`],
  ])('answers %s with a friendly page', async (_name, search) => {
    const { api } = await startApi({ orders: [waiting()] });
    const response = await api.inject({ url: `/payment?${search}` });
    expect(response.statusCode).toBe(404);
    expect(response.headers['content-type']).toContain('text/html');
    expect(response.body).toContain('We cannot find this order');
  });

  test('tells the order that its customer is back, and leads on whether or not that works', async () => {
    const { api, returned } = await startApi({
      orders: [waiting()],
      customerReturned: () => Promise.reject(new Error('Temporal is down')),
    });
    const response = await api.inject({ url: `/payment/return?${query}` });
    expect(response.statusCode).toBe(303);
    expect(response.headers['location']).toBe(`http://shop.example:8101/payment?${query}&notice=returned`);
    await vi.waitFor(() => expect(returned).toEqual([orderRecord().orderId]), { timeout: 5_000 });
  });

  test('does not show the link to pay again to a customer who is back', async () => {
    const { api } = await startApi({ orders: [waiting()] });
    const page = (await api.inject({ url: `/payment?${query}&notice=returned` })).body;
    expect(page).toContain('we are confirming your payment');
    expect(page).not.toContain('id="pay"');
  });

  test('leaves a paid order alone when its customer comes back', async () => {
    const { api, returned } = await startApi({ orders: [orderRecord({ status: 'PAID' })] });
    await api.inject({ url: `/payment/return?${query}` });
    expect(returned).toEqual([]);
  });

  const cancelForm = (headers: Record<string, string>) => ({
    method: 'POST' as const,
    url: `/payment/cancel?${query}`,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    payload: '',
  });

  test.each([
    ['our page', { 'sec-fetch-site': 'same-origin' }],
    ['our page, in a browser that says little', { origin: 'null' }],
    ['our page, by its origin', { origin: 'http://shop.example:8101' }],
  ])('cancels for %s', async (_name, headers) => {
    const { api, cancelled } = await startApi({ orders: [waiting()], cancel: async () => ({ outcome: 'underWay' }) });
    const response = await api.inject(cancelForm(headers));
    expect(response.statusCode).toBe(303);
    expect(response.headers['location']).toBe(`http://shop.example:8101/payment?${query}&notice=cancelling`);
    expect(cancelled).toEqual([orderRecord().orderId]);
  });

  test.each([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a sister site', { 'sec-fetch-site': 'same-site' }],
    ['another origin', { origin: 'http://evil.example' }],
  ])('does not cancel for %s', async (_name, headers) => {
    const { api, cancelled } = await startApi({ orders: [waiting()] });
    expect((await api.inject(cancelForm(headers))).statusCode).toBe(403);
    expect(cancelled).toEqual([]);
  });

  test('says on the page that a cancel came too late', async () => {
    const { api } = await startApi({
      orders: [
        orderRecord({
          status: 'FINISHED',
          timeline: [timelineEntry({ status: 'FINISHED', event: 'order.finished' })],
        }),
      ],
    });
    const response = await api.inject({ method: 'POST', url: `/payment/cancel?${query}` });
    expect(response.headers['location']).toBe(`http://shop.example:8101/payment?${query}&notice=too-late`);
    expect((await api.inject({ url: `/payment?${query}&notice=too-late` })).body).toContain(
      'It was too late to cancel',
    );
  });
});

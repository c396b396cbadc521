import { expect, test } from 'vitest';
import { startApi } from '../testing/api.ts';
import { orderRecord } from '../testing/fakes.ts';

const MAX_BYTES = 15 * 1024;
const TOKEN = 'a-token-of-sixteen';
const order = orderRecord({ status: 'WAITING_FOR_PAYMENT' });

test.each([
  '/',
  `/payment?customer-id=${order.customerId}&order-id=${order.orderId}`,
  '/operator',
  '/operator/sign-in',
])('the styles, and the scripts, of %s are 15 KB at most, and may be kept for good', async (url) => {
  const { api } = await startApi({ orders: [order] }, { operatorToken: TOKEN, shopPage: true });
  const signedIn = await api.inject({
    method: 'POST',
    url: '/operator/sign-in',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: `token=${TOKEN}`,
  });
  const [cookie = ''] = String(signedIn.headers['set-cookie']).split(';');
  const page = await api.inject({ url, headers: { cookie } });
  expect(page.statusCode).toBe(200);
  const addresses = [...page.body.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, address = '']) =>
    address.replace('&#61;', '='),
  );
  const bytes = { css: 0, js: 0 };
  for (const address of addresses) {
    const { statusCode, headers, rawPayload } = await api.inject({ url: address });
    expect([statusCode, headers['cache-control']]).toEqual([200, expect.stringContaining('immutable')]);
    bytes[address.includes('.css') ? 'css' : 'js'] += rawPayload.length;
  }
  expect(bytes.css).toBeGreaterThan(1000);
  expect(bytes.css).toBeLessThanOrEqual(MAX_BYTES);
  expect(bytes.js).toBeLessThanOrEqual(MAX_BYTES);
});

import { describe, expect, test } from 'vitest';
import { startApi } from '../../testing/api.ts';
import { type FakeAnswers, orderRecord, timelineEntry } from '../../testing/fakes.ts';

const TOKEN = 'a-token-of-sixteen';
const OURS = { 'sec-fetch-site': 'same-origin' };
const FORM = 'application/x-www-form-urlencoded';
const { orderId } = orderRecord();

async function openDesk(answers: FakeAnswers = {}, { publicUrl = 'http://shop.example:8101' } = {}) {
  const { api, ...fakes } = await startApi(answers, { operatorToken: TOKEN, publicUrl });
  const post = (url: string, fields: Record<string, string>, headers: Record<string, string> = OURS) =>
    api.inject({
      method: 'POST',
      url,
      headers: { 'content-type': FORM, ...headers },
      payload: new URLSearchParams(fields).toString(),
    });
  return {
    ...fakes,
    api,
    get: (url: string, headers: Record<string, string> = {}) => api.inject({ url, headers }),
    post,
    /** Signs in, and gives the cookie and the token of the session's forms. */
    signIn: async (token = TOKEN) => {
      const response = await post('/operator/sign-in', { token });
      const [cookie = ''] = String(response.headers['set-cookie']).split(';');
      const page = await api.inject({ url: '/operator', headers: { cookie } });
      return { response, cookie, form: /name="form" value="(?<form>[^"]+)"/.exec(page.body)?.groups?.['form'] ?? '' };
    },
  };
}

describe('the operators’ desk', () => {
  test('does not exist where no operator can sign in', async () => {
    const { api } = await startApi();
    for (const url of ['/operator', '/operator/sign-in', '/operator/orders', '/operator/items']) {
      expect((await api.inject({ url })).statusCode).toBe(404);
    }
  });

  test.each(['/operator', '/operator/orders?status=PAID', `/operator/orders/${orderId}`, '/operator/items'])(
    'asks to sign in before %s, and leads back to it',
    async (url) => {
      const { get, post } = await openDesk({ orders: [orderRecord()] });
      const { statusCode, headers, body } = await get(url);
      expect([statusCode, body]).toEqual([303, '']);
      expect(headers['location']).toBe(`/operator/sign-in?next=${encodeURIComponent(url)}`);
      const signedIn = await post('/operator/sign-in', { token: TOKEN, next: url });
      expect([signedIn.statusCode, signedIn.headers['location']]).toEqual([303, url]);
    },
  );

  test.each([
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/operator/../payment',
    '/operatorx',
    '/operator\r\nset-cookie: a=b',
  ])('leads nobody away after signing in: %j', async (next) => {
    const { post } = await openDesk();
    const { headers } = await post('/operator/sign-in', { token: TOKEN, next });
    expect(new URL(String(headers['location']), 'http://shop.example').href).toMatch(
      /^http:\/\/shop\.example\/(operator|payment)/,
    );
    expect(headers['set-cookie']).not.toContain('a=b');
  });

  test('has a cookie that no script and no other site can use, and that ends by itself', async () => {
    const { signIn } = await openDesk();
    const { response } = await signIn();
    expect(String(response.headers['set-cookie'])).toMatch(
      /^operator-session=[\w.-]+; Path=\/operator; Max-Age=28800; HttpOnly; SameSite=Strict$/,
    );
    const secure = await (await openDesk({}, { publicUrl: 'https://shop.example' })).signIn();
    expect(String(secure.response.headers['set-cookie'])).toMatch(/; Secure$/);
  });

  test.each(['', 'wrong', `${TOKEN}x`])('does not let in the token %j', async (token) => {
    const { post } = await openDesk();
    const { statusCode, headers, body } = await post('/operator/sign-in', { token });
    expect(statusCode).toBe(401);
    expect(headers['set-cookie']).toBeUndefined();
    expect(body).toContain('role="alert"');
  });

  test('slows down who tries tokens', async () => {
    const { post } = await openDesk();
    const answers: number[] = [];
    for (let attempt = 0; attempt < 12; attempt += 1) {
      answers.push((await post('/operator/sign-in', { token: `guess-${attempt}` })).statusCode);
    }
    expect(answers.filter((status) => status === 401)).toHaveLength(10);
    expect(answers.slice(-2)).toEqual([429, 429]);
    expect((await post('/operator/sign-in', { token: TOKEN })).statusCode).toBe(429);
  });

  test('takes no sign-in that another site sends', async () => {
    const { post } = await openDesk();
    const { statusCode, headers } = await post(
      '/operator/sign-in',
      { token: TOKEN },
      { 'sec-fetch-site': 'cross-site' },
    );
    expect([statusCode, headers['set-cookie']]).toEqual([403, undefined]);
  });

  test.each([
    ['forged', (cookie: string) => `${cookie.slice(0, -2)}xx`],
    ['of another kind', () => 'operator-session=OPERATOR_TOKEN'],
    ['empty', () => 'operator-session='],
    ['under another name', (cookie: string) => cookie.replace('operator-session', 'session')],
  ])('does not believe a cookie that is %s', async (_what, change) => {
    const { get, signIn } = await openDesk();
    const { cookie } = await signIn();
    expect((await get('/operator', { cookie })).statusCode).toBe(200);
    expect((await get('/operator', { cookie: change(cookie) })).statusCode).toBe(303);
  });

  test('does not believe a cookie of an installation with another OPERATOR_TOKEN', async () => {
    const { signIn } = await openDesk();
    const { cookie } = await signIn();
    const { api } = await startApi({}, { operatorToken: `${TOKEN}-2` });
    expect((await api.inject({ url: '/operator', headers: { cookie } })).statusCode).toBe(303);
  });

  test('signs out', async () => {
    const { post, signIn } = await openDesk();
    const { cookie, form } = await signIn();
    const { statusCode, headers } = await post('/operator/sign-out', { form }, { ...OURS, cookie });
    expect(statusCode).toBe(303);
    expect(String(headers['set-cookie'])).toContain('operator-session=; Path=/operator; Max-Age=0');
  });

  test('loads itself again where a link on another site led to it, since its cookie was not sent along', async () => {
    const { get } = await openDesk();
    const { statusCode, body } = await get('/operator', { 'sec-fetch-site': 'cross-site' });
    expect(statusCode).toBe(200);
    expect(body).toContain('<meta http-equiv="refresh" content="0" />');
    expect(body).not.toContain('<h1>');
  });

  test('has the strict policy of all pages', async () => {
    const { get, signIn } = await openDesk();
    const { cookie } = await signIn();
    for (const url of ['/operator', '/operator/sign-in', '/operator/items', `/operator/orders/${'f'.repeat(24)}`]) {
      const { headers } = await get(url, { cookie });
      expect(headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
      expect(headers['content-security-policy']).toMatch(/default-src 'none'.*style-src 'self'.*form-action 'self'/);
      expect(headers['content-security-policy']).not.toContain('unsafe');
    }
  });
});

describe('a form of the desk', () => {
  const steps = [
    ['cancel', {}],
    ['refund', { restock: 'true' }],
    ['release', {}],
  ] as const;

  test.each(steps)('that another site sends, with the cookie in it, does nothing: %s', async (step, fields) => {
    const { post, signIn, asked } = await openDesk({ orders: [orderRecord({ status: 'PAID' })] });
    const { cookie, form } = await signIn();
    const url = `/operator/orders/${orderId}/${step}`;
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'http://evil.example' },
    ]) {
      expect((await post(url, { ...fields, form }, { ...headers, cookie })).statusCode).toBe(403);
    }
    // A browser that says nothing of where a form comes from: its token does.
    for (const stolen of [{}, { form: '' }, { form: 'x'.repeat(form.length) }]) {
      expect((await post(url, { ...fields, ...stolen }, { cookie })).statusCode).toBe(403);
    }
    const { form: othersForm } = await signIn();
    expect((await post(url, { ...fields, form: othersForm }, { ...OURS, cookie })).statusCode).toBe(403);
    expect((await post(url, { ...fields, form }, OURS)).statusCode).toBe(401);
    expect(asked).toEqual([]);
  });

  test.each(['items', 'items/pencil', 'items/pencil/stock', 'sign-out'])(
    'without its token is refused: %s',
    async (path) => {
      const { post, signIn } = await openDesk();
      const { cookie } = await signIn();
      expect((await post(`/operator/${path}`, {}, { ...OURS, cookie })).statusCode).toBe(403);
      expect((await post(`/operator/${path}`, {}, OURS)).statusCode).toBe(401);
    },
  );

  test('does what the operator says, under their name', async () => {
    const order = orderRecord({
      status: 'PAID',
      timeline: [timelineEntry({ status: 'PAID', event: 'fulfillment.held' })],
    });
    const { post, signIn, asked } = await openDesk({
      orders: [order],
      refund: async () => ({ outcome: 'underWay' }),
      release: async () => ({ outcome: 'underWay' }),
    });
    const { cookie, form } = await signIn();
    const send = (step: string, fields: Record<string, string>) =>
      post(`/operator/orders/${orderId}/${step}`, { ...fields, form }, { ...OURS, cookie });
    const refunded = await send('refund', { restock: 'false', reason: 'Lost on the way' });
    expect(refunded.headers['location']).toBe(`/operator/orders/${orderId}?done=underWay`);
    const released = await send('release', {});
    expect(released.headers['location']).toBe(`/operator/orders/${orderId}?done=released`);
    expect(asked).toMatchObject([
      { refund: orderId, restock: false, reason: 'Lost on the way.', operator: 'OPERATOR_TOKEN' },
      { release: orderId, operator: 'OPERATOR_TOKEN' },
    ]);
  });

  test.each([
    [{ restock: 'perhaps' }, 'restock'],
    [{}, 'restock'],
    [{ restock: 'true', reason: 'x'.repeat(201) }, 'reason'],
    [{ restock: 'true', reason: 'two\nlines' }, 'reason'],
  ])('that says nonsense is shown again with what is wrong: %o', async (fields, field) => {
    const { post, signIn, asked } = await openDesk({ orders: [orderRecord({ status: 'FINISHED' })] });
    const { cookie, form } = await signIn();
    const answer = await post(`/operator/orders/${orderId}/refund`, { ...fields, form }, { ...OURS, cookie });
    expect(answer.statusCode).toBe(400);
    expect(answer.body).toMatch(new RegExp(`role="alert">[^<]*${field}`));
    expect(asked).toEqual([]);
  });

  test('tells in place why it was refused', async () => {
    const { post, signIn } = await openDesk({ orders: [orderRecord({ status: 'CANCELLED' })] });
    const { cookie, form } = await signIn();
    const answer = await post(`/operator/orders/${orderId}/refund`, { restock: 'true', form }, { ...OURS, cookie });
    expect(answer.statusCode).toBe(409);
    expect(answer.body).toContain(`Order ${orderId} is CANCELLED, so nothing was refunded`);
  });
});

test('nothing that anybody wrote becomes part of the desk', async () => {
  const evil = `"><img src=x onerror=alert(1)><script>alert(1)</script>'`;
  const order = orderRecord({
    status: 'PAID',
    customerId: evil,
    trackingNumber: evil,
    checkoutSessionId: evil,
    paymentIntentId: evil,
    lines: [{ itemId: evil, name: evil, quantity: 1, unitAmountMinor: 1 }],
    timeline: [timelineEntry({ status: 'PAID', event: 'fulfillment.held', detail: evil, data: { by: evil } })],
  });
  const { get, post, signIn } = await openDesk({ orders: [order], page: { orders: [order], next: undefined } });
  const { cookie, form } = await signIn();
  const query = encodeURIComponent(evil);
  const pages = [
    await get('/operator', { cookie }),
    await get(`/operator/orders?q=${query}`, { cookie }),
    await get(`/operator/orders?customer=${query}&from=${query}&to=${query}&status=${query}`, { cookie }),
    await get(`/operator/orders/${orderId}?done=${query}`, { cookie }),
    await get(`/operator/orders/${orderId}/refund`, { cookie }),
    await get(`/operator/orders/${orderId}/release`, { cookie }),
    await get(`/operator/orders/${query}`, { cookie }),
    await get(`/operator/items/${query}`, { cookie }),
    await get(`/operator/sign-in?next=${query}`),
    await post(`/operator/orders/${orderId}/refund`, { reason: evil, restock: evil, form }, { ...OURS, cookie }),
    await post('/operator/items', { item_id: evil, name: evil, price: evil, reason: evil, form }, { ...OURS, cookie }),
  ];
  for (const { headers, body } of pages) {
    expect(headers['content-type']).toContain('text/html');
    expect(body).not.toMatch(/<img|<script>|onerror=/);
  }
});

describe('what can be done with an order', () => {
  const held = timelineEntry({ status: 'PAID', event: 'fulfillment.held' });
  test.each([
    [orderRecord({ status: 'PENDING' }), ['cancel']],
    [orderRecord({ status: 'WAITING_FOR_PAYMENT' }), ['cancel']],
    [orderRecord({ status: 'PAID' }), ['refund']],
    [orderRecord({ status: 'PAID', timeline: [held] }), ['release', 'refund']],
    [orderRecord({ status: 'FINISHED' }), ['refund']],
    [orderRecord({ status: 'REFUNDED' }), []],
    [orderRecord({ status: 'CANCELLED' }), []],
  ])('$status', async (order, steps) => {
    const { get, signIn } = await openDesk({ orders: [order] });
    const { cookie } = await signIn();
    const { body } = await get(`/operator/orders/${orderId}`, { cookie });
    const offered = [...body.matchAll(/href="\/operator\/orders\/\w+\/(\w+)"/g)].map((match) => match[1]);
    expect(offered).toEqual(steps);
    for (const step of ['cancel', 'refund', 'release']) {
      const { statusCode } = await get(`/operator/orders/${orderId}/${step}`, { cookie });
      expect(statusCode).toBe(steps.includes(step) ? 200 : 303);
    }
    expect((await get(`/operator/orders/${orderId}/destroy`, { cookie })).statusCode).toBe(404);
  });
});

test('the desk tells how the books stand at Stripe, once they were compared', async () => {
  const sums = { chargedMinor: 4500, refundedMinor: 500, lostMinor: 0, keptMinor: 4000 };
  const here = { ...sums, refundedMinor: 0, keptMinor: 4500 };
  const last = {
    startedAt: new Date(),
    lookedFrom: new Date(),
    finishedAt: new Date(),
    balance: { charges: 1, notOurs: 0, returned: 0, lines: [{ currency: 'USD', atStripe: sums, here }] },
    differing: 1,
    differences: [
      {
        paymentIntentId: 'pi_1',
        orderId,
        status: 'FINISHED' as const,
        currency: 'USD',
        atStripe: sums,
        here,
        untold: [],
      },
    ],
  };
  const before = await openDesk();
  const { cookie } = await before.signIn();
  expect((await before.get('/operator', { cookie })).body).not.toContain('compared with Stripe');
  const { get } = await openDesk({ reconciliation: last });
  const { body } = await get('/operator', { cookie });
  expect(body).toContain('1 payments differ');
  for (const text of ['$45.00', '$40.00', '$5.00', `/operator/orders/${orderId}`]) expect(body).toContain(text);
});

import { Stripe } from 'stripe';
import { describe, expect, test, vi } from 'vitest';
import { API_KEY, line, orderParams, startReceiver, startSandbox, stripeFor } from './testing/test-support.ts';

const must = <T>(value: T | null | undefined): T => {
  if (value === null || value === undefined) throw new Error('There is no value.');
  return value;
};

describe('checkout sessions', () => {
  test('a session carries what the order asked for, and no payment intent before the customer confirms', async () => {
    const { stripe, url } = await startSandbox();
    const session = await stripe.checkout.sessions.create(orderParams('order_7'));
    expect(session).toMatchObject({
      object: 'checkout.session',
      amount_total: 4500,
      currency: 'usd',
      client_reference_id: 'order_7',
      metadata: { order_id: 'order_7' },
      status: 'open',
      payment_status: 'unpaid',
      payment_intent: null,
      livemode: false,
      url: `${url}/c/pay/${session.id}`,
    });
    expect(session.expires_at - session.created).toBe(24 * 3600);
    const lines = await stripe.checkout.sessions.listLineItems(session.id);
    expect(lines.data.map((item) => [item.description, item.quantity, item.amount_total])).toEqual([
      ['Pencil', 20, 2000],
      ['Book', 5, 2500],
    ]);
  });

  test('a paid session has its payment intent with the metadata that was asked for, and one charge', async () => {
    const { stripe, admin } = await startSandbox();
    const { id } = await stripe.checkout.sessions.create(orderParams());
    await admin.pay(id);
    const session = await stripe.checkout.sessions.retrieve(id, {
      expand: ['payment_intent.latest_charge', 'line_items'],
    });
    expect(session).toMatchObject({ status: 'complete', payment_status: 'paid', url: null });
    const paymentIntent = session.payment_intent as Stripe.PaymentIntent;
    expect(paymentIntent).toMatchObject({
      status: 'succeeded',
      amount_received: 4500,
      metadata: { order_id: 'order_1' },
    });
    expect(paymentIntent.latest_charge).toMatchObject({ amount: 4500, paid: true, captured: true, refunded: false });
    expect(session.line_items?.data).toHaveLength(2);
    expect(await stripe.checkout.sessions.list({ payment_intent: paymentIntent.id })).toMatchObject({
      data: [{ id }],
      has_more: false,
    });
    expect((await admin.ledger('order_1')).charges).toMatchObject([
      { sessionId: id, amountMinor: 4500, currency: 'usd', status: 'succeeded', amountRefundedMinor: 0 },
    ]);
    expect((await admin.ledger('another')).charges).toEqual([]);
    expect(await admin.pay(id)).toMatchObject({ outcome: 'closed' });
    expect((await admin.ledger()).charges).toHaveLength(1);
  });

  test('a declined card leaves the session open, and the same session is paid with another', async () => {
    const receiver = await startReceiver();
    const { stripe, admin } = await startSandbox({ webhookUrl: receiver.url });
    const { id } = await stripe.checkout.sessions.create(orderParams());
    const declined = await admin.pay(id, { card: '4000 0000 0000 9995' });
    expect(declined).toMatchObject({
      outcome: 'declined',
      decline: { code: 'card_declined', decline_code: 'insufficient_funds' },
    });
    const open = await stripe.checkout.sessions.retrieve(id, { expand: ['payment_intent'] });
    expect(open).toMatchObject({
      status: 'open',
      payment_status: 'unpaid',
      payment_intent: {
        status: 'requires_payment_method',
        last_payment_error: { decline_code: 'insufficient_funds', type: 'card_error' },
      },
    });
    expect(await admin.pay(id)).toMatchObject({
      outcome: 'succeeded',
      paymentIntentId: must(declined.paymentIntentId),
    });
    await vi.waitFor(() => expect(receiver.events).toHaveLength(6), 5000);
    expect(receiver.types().toSorted()).toEqual([
      'charge.failed',
      'charge.succeeded',
      'checkout.session.completed',
      'payment_intent.created',
      'payment_intent.payment_failed',
      'payment_intent.succeeded',
    ]);
    expect((await admin.ledger()).charges.map(({ status }) => status)).toEqual(['failed', 'succeeded']);
  });

  test('expiring: an open session once; a paid and an expired one are refused', async () => {
    const receiver = await startReceiver();
    const { stripe, admin } = await startSandbox({ webhookUrl: receiver.url });
    const expired = await stripe.checkout.sessions.create(orderParams('a'));
    await admin.pay(expired.id, { card: '4000000000000002' });
    expect(await stripe.checkout.sessions.expire(expired.id)).toMatchObject({ status: 'expired', url: null });
    const paymentIntent = (await admin.sessions('a'))[0]?.paymentIntentId;
    expect(await stripe.paymentIntents.retrieve(must(paymentIntent))).toMatchObject({ status: 'canceled' });
    expect(await admin.pay(expired.id)).toMatchObject({ outcome: 'closed' });
    const paid = await stripe.checkout.sessions.create(orderParams('b'));
    await admin.pay(paid.id);
    for (const [id, status] of [
      [expired.id, 'expired'],
      [paid.id, 'complete'],
    ] as const) {
      await expect(stripe.checkout.sessions.expire(id)).rejects.toMatchObject({
        type: 'StripeInvalidRequestError',
        statusCode: 400,
        message: expect.stringContaining(`status of \`${status}\``),
      });
    }
    await vi.waitFor(() => expect(receiver.types()).toContain('checkout.session.expired'), 5000);
    expect((await admin.ledger('a')).charges.filter(({ status }) => status === 'succeeded')).toEqual([]);
  });

  test('a session whose time is over expires by itself', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { stripe, admin } = await startSandbox();
    try {
      const session = await stripe.checkout.sessions.create(
        orderParams('a', { expires_at: Math.floor(Date.now() / 1000) + 31 * 60 }),
      );
      vi.setSystemTime(Date.now() + 32 * 60_000);
      expect(await admin.pay(session.id)).toMatchObject({ outcome: 'closed' });
      expect(await stripe.checkout.sessions.retrieve(session.id)).toMatchObject({ status: 'expired' });
      expect((await admin.events('checkout.session.expired')).map(({ data }) => data.object)).toMatchObject([
        { id: session.id, status: 'expired' },
      ]);
    } finally {
      vi.useRealTimers();
    }
  });

  test('a bank debit is complete and unpaid, and is paid or refused later', async () => {
    const receiver = await startReceiver();
    const { stripe, admin } = await startSandbox({ webhookUrl: receiver.url });
    for (const result of ['succeeded', 'failed'] as const) {
      const { id } = await stripe.checkout.sessions.create(orderParams(result));
      expect(await admin.pay(id, { method: 'bank_debit' })).toMatchObject({ outcome: 'processing' });
      expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({
        status: 'complete',
        payment_status: 'unpaid',
      });
      await expect(stripe.checkout.sessions.expire(id)).rejects.toMatchObject({ statusCode: 400 });
      await admin.settle(id, result);
      const session = await stripe.checkout.sessions.retrieve(id, { expand: ['payment_intent'] });
      expect(session).toMatchObject(
        result === 'succeeded'
          ? { payment_status: 'paid', payment_intent: { status: 'succeeded' } }
          : { payment_status: 'unpaid', payment_intent: { status: 'requires_payment_method' } },
      );
      await expect(admin.settle(id, result)).rejects.toThrow('no bank debit under way');
      await vi.waitFor(() => expect(receiver.types()).toContain(`checkout.session.async_payment_${result}`), 5000);
    }
  });

  test('3-D Secure: failed, the session stays open; passed, it is paid', async () => {
    const { stripe, admin } = await startSandbox();
    const { id } = await stripe.checkout.sessions.create(orderParams());
    const card = '4000002500003155';
    expect(await admin.pay(id, { card })).toMatchObject({ outcome: 'requires_action' });
    expect(await stripe.checkout.sessions.retrieve(id, { expand: ['payment_intent'] })).toMatchObject({
      status: 'open',
      payment_intent: { status: 'requires_action', next_action: { type: 'redirect_to_url' } },
    });
    expect(await admin.authenticate(id, 'fail')).toMatchObject({
      outcome: 'declined',
      decline: { code: 'payment_intent_authentication_failure' },
    });
    expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({ status: 'open' });
    expect(await admin.pay(id, { card, threeDSecure: 'pass' })).toMatchObject({ outcome: 'succeeded' });
    expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({ status: 'complete', payment_status: 'paid' });
    expect((await admin.ledger()).charges).toHaveLength(1);
  });
});

describe('what Stripe refuses', () => {
  const refusals: [name: string, more: object, expected: object][] = [
    ['a total below the minimum', { line_items: [line('Pin', 49, 1)] }, { code: 'amount_too_small' }],
    ['a total below the minimum in yen', { line_items: [line('Pin', 49, 1, 'jpy')] }, { code: 'amount_too_small' }],
    ['a total of nine digits', { line_items: [line('Ship', 50_000_000, 2)] }, { code: 'amount_too_large' }],
    ['no line items', { line_items: undefined }, { code: 'parameter_missing', param: 'line_items' }],
    [
      'quantity 1.5',
      { line_items: [line('Pen', 100, 1.5)] },
      { code: 'parameter_invalid_integer', param: 'line_items[0][quantity]' },
    ],
    ['quantity 0', { line_items: [line('Pen', 100, 0)] }, { param: 'line_items[0][quantity]' }],
    [
      'an unknown parameter',
      { payment_method_types: ['card'] },
      { code: 'parameter_unknown', param: 'payment_method_types' },
    ],
    [
      'an unknown nested parameter',
      { payment_intent_data: { foo: '1' } },
      { code: 'parameter_unknown', param: 'payment_intent_data[foo]' },
    ],
    [
      'a part of a shilling',
      { line_items: [line('Pen', 500, 1, 'ugx'), line('Pin', 550, 1, 'ugx')] },
      { code: 'invalid_charge_amount_no_decimal_compatible', param: 'line_items[1][price_data][unit_amount]' },
    ],
    [
      'a part of a króna',
      { line_items: [line('Pen', 501, 1, 'isk')] },
      { code: 'invalid_charge_amount_no_decimal_compatible' },
    ],
    [
      'a third decimal that is not 0',
      { line_items: [line('Pen', 5124, 1, 'kwd')] },
      { code: 'invalid_charge_amount_no_decimal_compatible' },
    ],
    [
      'a name of 251 characters',
      { line_items: [line('🖍'.repeat(251), 100, 1)] },
      { code: 'parameter_invalid_string_length' },
    ],
    ['a currency that is none', { line_items: [line('Pen', 100, 1, 'xyz')] }, { code: 'currency_invalid' }],
    [
      'two currencies',
      { line_items: [line('Pen', 100, 1), line('Pin', 100, 1, 'eur')] },
      { param: 'line_items[1][price_data][currency]' },
    ],
    ['an URL that is none', { success_url: 'shop' }, { code: 'url_invalid', param: 'success_url' }],
    ['an expiry too near', { expires_at: Math.floor(Date.now() / 1000) + 60 }, { param: 'expires_at' }],
    ['an expiry too far', { expires_at: Math.floor(Date.now() / 1000) + 25 * 3600 }, { param: 'expires_at' }],
    ['another mode', { mode: 'setup' }, { param: 'mode' }],
    ['a long reference', { client_reference_id: 'x'.repeat(201) }, { param: 'client_reference_id' }],
    [
      'metadata with 51 keys',
      { metadata: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`k${i}`, 'v'])) },
      { param: 'metadata' },
    ],
  ];
  test.each(refusals)('%s', async (_name, more, expected) => {
    const { stripe, admin } = await startSandbox();
    const creating = stripe.checkout.sessions.create({ ...orderParams(), ...more });
    await expect(creating).rejects.toMatchObject({ type: 'StripeInvalidRequestError', statusCode: 400, ...expected });
    expect(await admin.sessions()).toEqual([]);
  });

  test('the least and the greatest amounts are taken', async () => {
    const { stripe } = await startSandbox();
    for (const items of [
      [line('Pin', 50, 1)],
      [line('Yen', 50, 1, 'jpy')],
      [line('Shilling', 500, 1, 'ugx')],
      [line('🖍'.repeat(250), 100, 1)],
      [line('Ship', 99_999_999, 1)],
    ]) {
      await expect(stripe.checkout.sessions.create(orderParams('a', { line_items: items }))).resolves.toBeDefined();
    }
  });

  test('a wrong key, an unknown id, an unknown address, another API version, a body of JSON', async () => {
    const { stripe, url } = await startSandbox();
    await expect(stripeFor(url, 'sk_test_other').checkout.sessions.list()).rejects.toBeInstanceOf(
      Stripe.errors.StripeAuthenticationError,
    );
    await expect(stripe.checkout.sessions.retrieve('cs_test_none')).rejects.toMatchObject({
      statusCode: 404,
      code: 'resource_missing',
      requestId: expect.stringMatching(/^req_/),
    });
    await expect(stripe.customers.create({})).rejects.toMatchObject({
      statusCode: 404,
      requestId: expect.stringMatching(/^req_/),
      message: expect.stringContaining('/v1/customers'),
    });
    await expect(stripe.checkout.sessions.list({}, { apiVersion: '2020-08-27' })).rejects.toMatchObject({
      statusCode: 400,
    });
    const json = await fetch(`${url}/v1/refunds`, {
      method: 'POST',
      headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
      body: '{}',
    });
    expect(json.status).toBe(400);
    expect(await json.json()).toMatchObject({ error: { type: 'invalid_request_error' } });
  });

  test('what cannot be expanded says so', async () => {
    const { stripe } = await startSandbox();
    const { id } = await stripe.checkout.sessions.create(orderParams());
    await expect(stripe.checkout.sessions.retrieve(id, { expand: ['payment_intentt'] })).rejects.toMatchObject({
      statusCode: 400,
      message: expect.stringContaining('cannot be expanded'),
    });
  });

  test('lists give pages, newest first', async () => {
    const { stripe } = await startSandbox();
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1)
      ids.unshift((await stripe.checkout.sessions.create(orderParams(`o${index}`))).id);
    const first = await stripe.checkout.sessions.list({ limit: 2 });
    expect([first.data.map(({ id }) => id), first.has_more]).toEqual([ids.slice(0, 2), true]);
    const all: string[] = [];
    for await (const session of stripe.checkout.sessions.list({ limit: 2 })) all.push(session.id);
    expect(all).toEqual(ids);
    await expect(stripe.checkout.sessions.list({ limit: 101 })).rejects.toMatchObject({ param: 'limit' });
  });
});

test.each([
  [{ amount: 550, currency: 'ugx' }, 'invalid_charge_amount_no_decimal_compatible'],
  [{ amount: 5124, currency: 'kwd' }, 'invalid_charge_amount_no_decimal_compatible'],
  [{ amount: 49, currency: 'usd' }, 'amount_too_small'],
])('a payment intent of %o is refused', async (params, code) => {
  const { stripe } = await startSandbox();
  await expect(stripe.paymentIntents.create(params)).rejects.toMatchObject({ statusCode: 400, code });
});

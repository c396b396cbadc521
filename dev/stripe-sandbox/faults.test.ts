import { Stripe } from 'stripe';
import { describe, expect, test, vi } from 'vitest';
import { orderParams, startSandbox } from './testing/test-support.ts';

const DEADLINE_MS = 10_000;
const create = { method: 'POST', path: '/v1/checkout/sessions' } as const;

describe('idempotency', () => {
  test('the same key and request: the same answer, marked; the fields in any order', async () => {
    const { stripe, admin } = await startSandbox();
    const first = await stripe.checkout.sessions.create(orderParams(), { idempotencyKey: 'k' });
    const params = Object.fromEntries(Object.entries(orderParams()).toReversed());
    const again = await stripe.checkout.sessions.create(params, { idempotencyKey: 'k' });
    expect(again).toEqual(first);
    expect(again.lastResponse.headers['idempotent-replayed']).toBe('true');
    expect(first.lastResponse.headers['idempotent-replayed']).toBeUndefined();
    expect(await admin.sessions()).toHaveLength(1);
    expect((await admin.requests()).map(({ replayed, idempotencyKey }) => [replayed, idempotencyKey])).toEqual([
      [false, 'k'],
      [true, 'k'],
    ]);
  });

  test('the same key with another request or for another address is a 400', async () => {
    const { stripe } = await startSandbox();
    const { id } = await stripe.checkout.sessions.create(orderParams('a'), { idempotencyKey: 'k' });
    const other = stripe.checkout.sessions.create(orderParams('b'), { idempotencyKey: 'k' });
    await expect(other).rejects.toBeInstanceOf(Stripe.errors.StripeIdempotencyError);
    const expire = stripe.checkout.sessions.expire(id, {}, { idempotencyKey: 'k' });
    await expect(expire).rejects.toMatchObject({ rawType: 'idempotency_error', statusCode: 400 });
    const { id: another } = await stripe.checkout.sessions.create(orderParams('b'));
    await stripe.checkout.sessions.expire(id, {}, { idempotencyKey: 'expire' });
    await expect(stripe.checkout.sessions.expire(another, {}, { idempotencyKey: 'expire' })).rejects.toThrow(
      'same endpoint',
    );
    await expect(
      stripe.checkout.sessions.create(orderParams(), { idempotencyKey: 'k'.repeat(256) }),
    ).rejects.toMatchObject({ statusCode: 400 });
  });

  test('a refusal that was carried out is kept; one that failed validation is not', async () => {
    const { stripe, admin } = await startSandbox();
    const { id } = await stripe.checkout.sessions.create(orderParams());
    await admin.pay(id);
    const expire = () => stripe.checkout.sessions.expire(id, {}, { idempotencyKey: 'expire' });
    for (const replayed of [undefined, 'true']) {
      const error = await expire().catch((caught: unknown) => caught as Stripe.errors.StripeError);
      expect(error).toMatchObject({ statusCode: 400 });
      expect((error as Stripe.errors.StripeError).headers?.['idempotent-replayed']).toBe(replayed);
    }
    const corrected = { idempotencyKey: 'corrected' };
    await expect(stripe.checkout.sessions.create({ ...orderParams(), line_items: [] }, corrected)).rejects.toThrow(
      'line_items',
    );
    await expect(stripe.checkout.sessions.create(orderParams(), corrected)).resolves.toBeDefined();
  });

  test('a declined confirm is a 402, and is one again for its key', async () => {
    const { stripe, admin } = await startSandbox();
    const confirm = () =>
      stripe.paymentIntents.create(
        { amount: 100, currency: 'usd', payment_method: 'pm_card_visa_chargeDeclined', confirm: true },
        { idempotencyKey: 'pay' },
      );
    for (let time = 0; time < 2; time += 1) {
      await expect(confirm()).rejects.toMatchObject({
        type: 'StripeCardError',
        statusCode: 402,
        decline_code: 'generic_decline',
      });
    }
    expect((await admin.ledger()).charges).toHaveLength(1);
  });

  test('a key whose request still runs is a 409', async () => {
    const { stripe, admin } = await startSandbox();
    await admin.addFault({ ...create, action: { type: 'delay', ms: 60_000 } });
    const options = { idempotencyKey: 'k', timeout: 500 };
    const first = stripe.checkout.sessions.create(orderParams(), options);
    await vi.waitFor(async () => expect((await admin.faults())[0]?.fired).toBe(1), DEADLINE_MS);
    await expect(stripe.checkout.sessions.create(orderParams(), options)).rejects.toMatchObject({
      statusCode: 409,
      code: 'idempotency_key_in_use',
    });
    await expect(first).rejects.toBeInstanceOf(Stripe.errors.StripeConnectionError);
  });
});

describe('faults', () => {
  test.each([
    [500, Stripe.errors.StripeAPIError],
    [429, Stripe.errors.StripeRateLimitError],
    [409, Stripe.errors.StripeError],
  ])('the next answers are %d, and then no more', async (status, kind) => {
    const { stripe, admin } = await startSandbox();
    await admin.addFault({ ...create, times: 2, action: { type: 'error', status } });
    const attempt = () => stripe.checkout.sessions.create(orderParams(), { idempotencyKey: 'k' });
    for (let time = 0; time < 2; time += 1) {
      const error = await attempt().catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(kind);
      expect(error).toMatchObject({ statusCode: status });
    }
    expect(await admin.sessions()).toEqual([]);
    await expect(attempt()).resolves.toMatchObject({ status: 'open' });
  });

  test('a 500 that is stored comes again for its key, and not for another', async () => {
    const { stripe, admin } = await startSandbox();
    await admin.addFault({ ...create, action: { type: 'error', status: 500, stored: true } });
    const attempt = (idempotencyKey: string) => stripe.checkout.sessions.create(orderParams(), { idempotencyKey });
    const first = await attempt('k').catch((caught: Stripe.errors.StripeError) => caught);
    const again = await attempt('k').catch((caught: Stripe.errors.StripeError) => caught);
    expect([first, again]).toMatchObject([
      { statusCode: 500 },
      { statusCode: 500, headers: { 'idempotent-replayed': 'true' } },
    ]);
    await expect(attempt('k2')).resolves.toMatchObject({ status: 'open' });
    expect(await admin.sessions()).toHaveLength(1);
  });

  test('a 500 after the effect: the key gives the real answer, and there is one session', async () => {
    const { stripe, admin } = await startSandbox();
    await admin.addFault({ ...create, action: { type: 'error', status: 500, effect: true } });
    const attempt = () => stripe.checkout.sessions.create(orderParams(), { idempotencyKey: 'k' });
    await expect(attempt()).rejects.toMatchObject({ statusCode: 500 });
    const session = await attempt();
    expect((await admin.sessions()).map(({ id }) => id)).toEqual([session.id]);
  });

  test.each(['before', 'after'] as const)('the connection is reset %s the effect', async (when) => {
    const { stripe, admin } = await startSandbox();
    // Twice, since the SDK tries a reset connection once more by itself.
    await admin.addFault({ ...create, times: 2, action: { type: 'reset', when } });
    const attempt = () => stripe.checkout.sessions.create(orderParams(), { idempotencyKey: 'k' });
    await expect(attempt()).rejects.toBeInstanceOf(Stripe.errors.StripeConnectionError);
    expect(await admin.sessions()).toHaveLength(when === 'before' ? 0 : 1);
    await attempt();
    expect(await admin.sessions()).toHaveLength(1);
  });

  test('an answer is held after the effect until it is released', async () => {
    const { stripe, admin } = await startSandbox();
    await admin.addFault({ ...create, action: { type: 'hold' } });
    let answered = false;
    const held = stripe.checkout.sessions.create(orderParams()).finally(() => {
      answered = true;
    });
    await vi.waitFor(async () => expect((await admin.faults())[0]?.holding).toBe(1), DEADLINE_MS);
    const [session] = await admin.sessions('order_1');
    expect(await admin.pay(session?.id ?? '')).toMatchObject({ outcome: 'succeeded' });
    expect(answered).toBe(false);
    expect(await admin.releaseFaults()).toEqual({ released: 1 });
    expect((await held).id).toBe(session?.id);
  });

  test('a request hangs and has no effect; closing the sandbox does not wait for it', async () => {
    const { stripe, admin, sandbox } = await startSandbox();
    await admin.addFault({ ...create, times: 2, action: { type: 'hang', ms: 600_000 } });
    const options = { timeout: 300 };
    await expect(stripe.checkout.sessions.create(orderParams(), options)).rejects.toBeInstanceOf(
      Stripe.errors.StripeConnectionError,
    );
    expect(await admin.sessions()).toEqual([]);
    const hanging = stripe.checkout.sessions.create(orderParams()).catch((caught: unknown) => caught);
    await vi.waitFor(async () => expect((await admin.faults())[0]?.fired).toBe(2), DEADLINE_MS);
    await sandbox.close();
    expect(await hanging).toBeInstanceOf(Stripe.errors.StripeConnectionError);
  });

  test('a fault is for its path alone, a star stands for one part, and clearing ends all', async () => {
    const { stripe, admin } = await startSandbox();
    const { id } = await stripe.checkout.sessions.create(orderParams());
    await admin.addFault({
      path: '/v1/checkout/sessions/*/expire',
      probability: 1,
      action: { type: 'error', status: 503 },
    });
    await expect(stripe.checkout.sessions.retrieve(id)).resolves.toBeDefined();
    await expect(stripe.checkout.sessions.expire(id)).rejects.toMatchObject({ statusCode: 503 });
    await admin.clearFaults();
    await expect(stripe.checkout.sessions.expire(id)).resolves.toMatchObject({ status: 'expired' });
  });

  test('the admin face is for this machine, and says what is wrong', async () => {
    const { sandbox, admin, url } = await startSandbox();
    const from = (remoteAddress: string, host: string) =>
      sandbox.inject({ url: '/sandbox/ledger', remoteAddress, headers: { host } });
    expect((await from('10.0.0.7', 'localhost')).statusCode).toBe(403);
    expect((await from('127.0.0.1', 'evil.example')).statusCode).toBe(403);
    expect((await from('::1', 'localhost:8302')).statusCode).toBe(200);
    const foreign = await fetch(`${url}/sandbox/faults`, {
      method: 'DELETE',
      headers: { 'sec-fetch-site': 'cross-site' },
    });
    expect(foreign.status).toBe(403);
    await expect(admin.addWebhookRule({ action: { type: 'duplicate', copies: 1 } })).rejects.toThrow('copies');
  });
});

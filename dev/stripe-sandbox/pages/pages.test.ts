import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { line, orderParams, SHOP, startSandbox, type TestSandbox } from '../testing/test-support.ts';

const card = { method: 'card', number: '4242424242424242', expiry: '12/40', cvc: '123', name: 'Ada' };

async function openSession(world: TestSandbox, more = {}) {
  const session = await world.stripe.checkout.sessions.create(orderParams('order_1', more));
  const path = new URL(session.url ?? '').pathname;
  const submit = async (fields: Record<string, string>, at = path) =>
    world.sandbox.inject({
      method: 'POST',
      url: at,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: new URLSearchParams(fields).toString(),
    });
  return { session, path, submit };
}

describe('the payment page', () => {
  test('shows lines and total, escaped, and lets nothing run, frame or cache it', async () => {
    const world = await startSandbox();
    const { path } = await openSession(world, { line_items: [line('<script>alert(1)</script>', 150, 3)] });
    const page = await world.sandbox.inject(path);
    expect(page.statusCode).toBe(200);
    expect(page.body).toContain('Pay $4.50');
    expect(page.body).not.toContain('<script');
    expect(page.body).toContain(`href="${SHOP.replaceAll('=', '&#61;')}/payment"`);
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(`form-action 'self' ${SHOP}`);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(page.headers['cache-control']).toBe('no-store');
  });

  test('yen have no cents, and no bank debit', async () => {
    const world = await startSandbox();
    const { path, submit, session } = await openSession(world, { line_items: [line('Pen', 450, 2, 'jpy')] });
    const page = await world.sandbox.inject(path);
    expect(page.body).toContain('Pay ¥900');
    expect(page.body).not.toContain('Bank debit');
    expect((await submit({ method: 'bank', bankAccount: '000123456789' })).statusCode).toBe(422);
    expect(await world.stripe.checkout.sessions.retrieve(session.id)).toMatchObject({ status: 'open' });
  });

  test('a good card leads back to the shop, and the page is closed', async () => {
    const world = await startSandbox();
    const { session, submit, path } = await openSession(world);
    const answer = await submit(card);
    expect([answer.statusCode, answer.headers.location]).toEqual([303, `${SHOP}/payment?session=${session.id}`]);
    expect((await world.admin.ledger()).charges).toHaveLength(1);
    expect((await world.sandbox.inject(path)).body).toContain('This order is paid');
    expect((await submit(card)).body).toContain('This order is paid');
    expect((await world.admin.ledger()).charges).toHaveLength(1);
  });

  test('a decline is said in words; the form keeps all but the CVC', async () => {
    const world = await startSandbox();
    const { submit } = await openSession(world);
    const answer = await submit({ ...card, number: '4000 0000 0000 9995', name: 'Ada "L" <b>', cvc: '861' });
    expect(answer.statusCode).toBe(402);
    expect(answer.body).toContain('There is not enough money on this card');
    expect(answer.body).toContain('value="4000 0000 0000 9995"');
    expect(answer.body).toContain('value="Ada &#34;L&#34; &#60;b&#62;"');
    expect(answer.body).not.toContain('861');
  });

  test('a stolen card is not told so', async () => {
    const world = await startSandbox();
    const { submit } = await openSession(world);
    const answer = await submit({ ...card, number: '4000000000009979' });
    expect(answer.body).toContain('Your card was declined');
    expect(answer.body.split('Test cards')[0]).not.toContain('tolen');
  });

  test('wrong fields are marked, and nothing is tried', async () => {
    const world = await startSandbox();
    const { submit, session } = await openSession(world);
    const answer = await submit({ ...card, number: '4242424242424241', expiry: '01/20', cvc: '1' });
    expect(answer.statusCode).toBe(422);
    expect(answer.body.match(/aria-invalid="true"/g)).toHaveLength(3);
    expect(await world.stripe.checkout.sessions.retrieve(session.id)).toMatchObject({ payment_intent: null });
  });

  test('3-D Secure: failed, back to the page with the reason; passed, to the shop', async () => {
    const world = await startSandbox();
    const { submit, session } = await openSession(world);
    const secure = { ...card, number: '4000002500003155' };
    const bank = String((await submit(secure)).headers.location);
    expect(bank).toMatch(/^\/c\/3ds\/pi_/);
    expect((await world.sandbox.inject(bank)).body).toContain('confirm $45.00');
    const failed = await submit({ result: 'fail' }, bank);
    expect(failed.headers.location).toBe(`/c/pay/${session.id}?retry=1`);
    expect((await world.sandbox.inject(String(failed.headers.location))).body).toContain('Your bank did not confirm');
    expect((await world.sandbox.inject(bank)).statusCode).toBe(409);
    await submit(secure);
    expect((await submit({ result: 'pass' }, bank)).headers.location).toContain(`${SHOP}/payment?session=`);
    expect((await submit({ result: 'pass' }, bank)).body).toContain('This order is paid');
    expect((await world.admin.ledger()).charges).toHaveLength(1);
  });

  test('a bank debit is under way, and then refused', async () => {
    const world = await startSandbox();
    const { submit, session, path } = await openSession(world);
    expect((await submit({ method: 'bank', bankAccount: '1' })).statusCode).toBe(422);
    expect((await submit({ method: 'bank', bankAccount: '000123456789' })).statusCode).toBe(303);
    expect((await world.sandbox.inject(path)).body).toContain('under way');
    await world.admin.settle(session.id, 'failed');
    expect((await world.sandbox.inject(path)).body).toContain('The bank refused the debit');
  });

  test.each([
    ['000123456789', 'paid', 'This order is paid'],
    ['000111111113', 'unpaid', 'The bank refused the debit'],
  ])('a bank debit of account %s ends by itself, %s', async (bankAccount, paymentStatus, words) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const world = await startSandbox();
    const { submit, session, path } = await openSession(world);
    await submit({ method: 'bank', bankAccount });
    expect(await world.stripe.checkout.sessions.retrieve(session.id)).toMatchObject({ payment_status: 'unpaid' });
    expect((await world.sandbox.inject(path)).body).toContain('under way');
    vi.setSystemTime(Date.now() + 31_000);
    await vi.waitFor(async () => expect((await world.sandbox.inject(path)).body).toContain(words), 10_000);
    expect(await world.stripe.checkout.sessions.retrieve(session.id)).toMatchObject({ payment_status: paymentStatus });
  });

  test('an expired session and an unknown one have a clear page', async () => {
    const world = await startSandbox();
    const { submit, session, path } = await openSession(world);
    await world.stripe.checkout.sessions.expire(session.id);
    for (const answer of [await world.sandbox.inject(path), await submit(card)]) {
      expect([answer.statusCode, answer.body.includes('has expired')]).toEqual([410, true]);
    }
    expect((await world.sandbox.inject('/c/pay/cs_test_none')).statusCode).toBe(404);
    expect((await world.admin.ledger()).charges).toEqual([]);
  });
});

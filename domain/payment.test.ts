import { describe, expect, test } from 'vitest';
import {
  type AwaitedPayment,
  awaitPayment,
  type CheckoutSession,
  type Closing,
  decidePayment,
  describeDecline,
  judge,
  MAX_RECORDED_DECLINES,
} from './payment.ts';

const expected = { orderId: 'order-1', sessionId: 'cs_1', amountMinor: 4500, currency: 'USD', livemode: false };
const open: CheckoutSession = { ...expected, status: 'open', payment: 'unpaid', paymentIntentId: null };
const paid: CheckoutSession = { ...open, status: 'complete', payment: 'paid', paymentIntentId: 'pi_1' };
const processing: CheckoutSession = { ...paid, payment: 'unpaid' };
const failed: CheckoutSession = { ...paid, payment: 'failed' };
const expired: CheckoutSession = { ...open, status: 'expired' };

const cancelled: Closing = { status: 'CANCELLED', detail: 'cancelled' };
const tooLate: Closing = { status: 'EXPIRED', detail: 'too late' };

const receive = (state: AwaitedPayment, session: CheckoutSession) => decidePayment(state, { kind: 'session', session });
const close = (state: AwaitedPayment, closing: Closing) => decidePayment(state, { kind: 'close', closing });
const waiting = awaitPayment(expected);

describe('a session is', () => {
  test.each([
    ['open', open, 'open'],
    ['expired', expired, 'expired'],
    ['processing while a delayed payment has no result', processing, 'processing'],
    ['failed when it came back without the money', failed, 'failed'],
    ['paid', paid, 'paid'],
    ['wrong with another amount', { ...paid, amountMinor: 4499 }, 'wrong'],
    ['wrong with another currency', { ...paid, currency: 'EUR' }, 'wrong'],
    ['wrong in another mode', { ...paid, livemode: true }, 'wrong'],
    ["foreign when it is another order's", { ...paid, orderId: 'order-2' }, 'foreign'],
    ['foreign when it is of no order', { ...paid, orderId: null }, 'foreign'],
    ['foreign when it is another session of the order', { ...paid, sessionId: 'cs_2' }, 'foreign'],
    ['foreign when it is paid with nothing', { ...paid, paymentIntentId: null }, 'foreign'],
  ])('%s', (_what, session, kind) => {
    expect(judge(session, expected).kind).toBe(kind);
  });
});

describe('an order that waits for its payment', () => {
  test('takes the right payment', () => {
    expect(receive(waiting, paid).step).toEqual({ do: 'accept', paymentIntentId: 'pi_1' });
  });

  test('gives a wrong one back, and says what was wrong', () => {
    const { step } = receive(waiting, { ...paid, amountMinor: 100 });
    expect(step).toMatchObject({ do: 'refuse', paymentIntentId: 'pi_1' });
    expect(step).toHaveProperty('detail', expect.stringContaining('$1.00 was paid instead of $45.00'));
  });

  test('asks Stripe before it ends, whoever wants the end', () => {
    expect(close(waiting, cancelled).step).toEqual({ do: 'closeSession' });
    expect(close(waiting, tooLate).step).toEqual({ do: 'closeSession' });
  });

  test('ends as it was wished once Stripe says that nothing was paid', () => {
    expect(receive(close(waiting, cancelled).state, expired).step).toEqual({ do: 'end', closing: cancelled });
    expect(receive(close(waiting, tooLate).state, expired).step).toEqual({ do: 'end', closing: tooLate });
  });

  test('is paid when Stripe says so, though somebody wanted the end', () => {
    expect(receive(close(waiting, tooLate).state, paid).step.do).toBe('accept');
  });

  test('keeps the first wish, but for a cancel that comes while the window is being closed', () => {
    const closing = close(waiting, tooLate).state;
    const both = close(closing, cancelled);
    expect(both.step).toEqual({ do: 'wait' });
    expect(both.state.closing).toEqual(cancelled);
    expect(close(close(waiting, cancelled).state, tooLate).state.closing).toEqual(cancelled);
  });

  test('waits on for a delayed payment, also past its window, and says so once', () => {
    const first = receive(waiting, processing);
    expect(first.step).toMatchObject({ do: 'wait', note: { event: 'payment.processing' } });
    expect(receive(first.state, processing).step).toEqual({ do: 'wait' });
    expect(receive(close(first.state, tooLate).state, processing).step).toEqual({ do: 'wait' });
  });

  test('is cancelled when the bank does not pay', () => {
    const { state } = receive(waiting, processing);
    expect(receive(state, failed).step).toMatchObject({ do: 'end', closing: { status: 'CANCELLED' } });
  });

  test('expires when Stripe closes the page by itself', () => {
    expect(receive(waiting, expired).step).toMatchObject({ do: 'end', closing: { status: 'EXPIRED' } });
  });

  test('ignores what is not its own, and says so', () => {
    const { state, step } = receive(waiting, { ...paid, sessionId: 'cs_2' });
    expect(step).toMatchObject({
      do: 'wait',
      note: { event: 'payment.ignored' },
      warning: expect.stringContaining('cs_2'),
    });
    expect(state).toEqual(waiting);
  });

  test('notes declines, and no more of them than fit', () => {
    let state = waiting;
    let notes = 0;
    for (let attempt = 0; attempt < MAX_RECORDED_DECLINES + 10; attempt += 1) {
      const decision = decidePayment(state, { kind: 'declined', code: 'insufficient_funds' });
      ({ state } = decision);
      if (decision.step.do === 'wait' && decision.step.note !== undefined) notes += 1;
    }
    expect(notes).toBe(MAX_RECORDED_DECLINES);
  });
});

test('a decline is told in words, and does not give a stolen card away', () => {
  expect(describeDecline('insufficient_funds')).toContain('insufficient funds');
  expect(describeDecline('stolen_card')).toBe(describeDecline('generic_decline'));
  expect(describeDecline('something_new')).toContain('the bank declined the card');
});

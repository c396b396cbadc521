import { describe, expect, test } from 'vitest';
import {
  type AwaitedPayment,
  awaitPayment,
  type CheckoutSession,
  decidePayment,
  describeDecline,
  MAX_RECORDED_DECLINES,
  type PaymentNews,
} from './payment.ts';
import type { StripeEvent } from './stripe-event.ts';

const expected = { orderId: 'order-1', sessionId: 'cs_1', amountMinor: 4500, currency: 'USD', livemode: false };
const open: CheckoutSession = { ...expected, status: 'open', payment: 'unpaid', paymentIntentId: null };
const paid: CheckoutSession = { ...open, status: 'complete', payment: 'paid', paymentIntentId: 'pi_1' };
const processing: CheckoutSession = { ...paid, payment: 'unpaid' };
const failed: CheckoutSession = { ...paid, payment: 'failed' };
const expired: CheckoutSession = { ...open, status: 'expired' };

const cancel: PaymentNews = { kind: 'cancel', request: { reason: 'You cancelled this order.' } };
const windowEnded: PaymentNews = { kind: 'windowEnded' };

const read = (state: AwaitedPayment, session: CheckoutSession) => decidePayment(state, { kind: 'session', session });
const event = (more: Partial<StripeEvent> & Pick<StripeEvent, 'about'>): PaymentNews => {
  const base = { eventId: 'evt_1', type: 'checkout.session.completed', createdMs: 0, paymentIntentId: 'pi_1' };
  return { kind: 'stripeEvent', event: { ...base, ...more } as StripeEvent };
};
const declined = (code: string, delayed = false) => event({ about: 'decline', code, delayed });
const waiting = awaitPayment(expected);

describe('an order that waits for its payment', () => {
  test('takes the right payment, told by an event or read', () => {
    const payment = { paymentIntentId: 'pi_1', charge: undefined, isOutdated: false };
    expect(read(waiting, paid).decision).toEqual({ do: 'accept', payment });
    expect(decidePayment(waiting, event({ about: 'session', session: paid })).decision).toEqual({
      do: 'accept',
      payment,
    });
  });

  test.each([
    ['another amount', { amountMinor: 100 }, '$1.00 was paid instead of $45.00'],
    ['another currency', { currency: 'EUR' }, '€45.00 was paid instead of $45.00'],
    ['another mode', { livemode: true }, 'in live mode'],
    ["another order's", { orderId: 'order-2' }, 'for another order'],
    ['no order', { orderId: null }, 'for another order'],
  ])('refuses a payment of %s, and says what was wrong', (_what, changes, problem) => {
    const { decision } = read(waiting, { ...paid, ...changes });
    expect(decision).toMatchObject({ do: 'refuse', paymentIntentId: 'pi_1', detail: expect.stringContaining(problem) });
  });

  test('asks Stripe before it ends, whoever wants the end', () => {
    expect(decidePayment(waiting, cancel).decision).toEqual({ do: 'closeSession' });
    expect(decidePayment(waiting, windowEnded).decision).toEqual({ do: 'closeSession' });
  });

  test('ends as it was asked to once Stripe says that nothing was paid', () => {
    const end = (asked: PaymentNews) => read(decidePayment(waiting, asked).state, expired).decision;
    expect(end(cancel)).toEqual({
      do: 'end',
      closing: { status: 'CANCELLED', detail: 'You cancelled this order.', operator: undefined },
    });
    expect(end(windowEnded)).toMatchObject({ do: 'end', closing: { status: 'EXPIRED' } });
  });

  test('is paid when Stripe says so, though somebody wanted the end', () => {
    expect(read(decidePayment(waiting, windowEnded).state, paid).decision.do).toBe('accept');
  });

  test('keeps the first wish, but for a cancel that comes while the window is being closed', () => {
    const both = decidePayment(decidePayment(waiting, windowEnded).state, cancel);
    expect(both.decision).toEqual({ do: 'wait' });
    expect(both.state.closing?.status).toBe('CANCELLED');
    const { state } = decidePayment(decidePayment(waiting, cancel).state, windowEnded);
    expect(state.closing?.status).toBe('CANCELLED');
  });

  test('waits on for a delayed payment, also past its window', () => {
    const first = read(waiting, processing);
    expect(first.decision).toMatchObject({ do: 'wait', note: { event: 'payment.processing' } });
    expect(read(decidePayment(first.state, windowEnded).state, processing).decision).toMatchObject({ do: 'wait' });
  });

  test('is cancelled when the bank does not pay', () => {
    expect(read(read(waiting, processing).state, failed).decision).toMatchObject({
      do: 'end',
      closing: { status: 'CANCELLED' },
    });
  });

  test('asks Stripe about the refusal of a delayed payment, also if it comes before all else', () => {
    const { state, decision } = decidePayment(waiting, declined('insufficient_funds', true));
    expect(decision).toEqual({ do: 'readSession' });
    expect(read(state, failed).decision).toMatchObject({ do: 'end', closing: { status: 'CANCELLED' } });
  });

  test('expires when Stripe closes the page by itself', () => {
    expect(read(waiting, expired).decision).toMatchObject({ do: 'end', closing: { status: 'EXPIRED' } });
  });

  test('reads the charge once more when money has moved before it knew of its payment', () => {
    const told = decidePayment(waiting, event({ about: 'charge', type: 'review.opened' })).state;
    const { decision } = decidePayment(told, event({ about: 'session', session: paid }));
    expect(decision).toMatchObject({ do: 'accept', payment: { charge: undefined, isOutdated: true } });
  });

  test('asks Stripe on news of money that it does not know of, and remembers it', () => {
    const { state, decision } = decidePayment(waiting, event({ about: 'charge' }));
    expect(decision).toEqual({ do: 'readSession' });
    expect(state).toEqual({ ...waiting, toldOfCharge: true });
  });

  test.each([
    ['a customer who is back', { kind: 'customerReturned' } as const],
    ['a question that is due', { kind: 'checkDue' } as const],
  ])('asks Stripe on %s', (_what, news) => {
    expect(decidePayment(waiting, news)).toEqual({ state: waiting, decision: { do: 'readSession' } });
  });

  test('leaves an event of another session to aftercare', () => {
    const other = event({ about: 'session', session: { ...paid, sessionId: 'cs_2' } });
    expect(decidePayment(waiting, other)).toMatchObject({ state: waiting, decision: { do: 'handOver' } });
  });

  test('is not paid by a session without a payment', () => {
    expect(read(waiting, { ...paid, paymentIntentId: null }).decision).toMatchObject({
      do: 'wait',
      note: { event: 'payment.ignored', alarm: true },
    });
  });

  test('notes declines, each under its event, and no more of them than fit', () => {
    let state = waiting;
    const sources = new Set<string>();
    for (let attempt = 0; attempt < MAX_RECORDED_DECLINES + 10; attempt += 1) {
      const decided = decidePayment(
        state,
        event({ eventId: `evt_${attempt}`, about: 'decline', code: 'insufficient_funds', delayed: false }),
      );
      ({ state } = decided);
      if (decided.decision.do === 'wait' && decided.decision.note) sources.add(decided.decision.note.source);
    }
    expect(sources.size).toBe(MAX_RECORDED_DECLINES);
  });
});

test('a decline is told in words, and does not give a stolen card away', () => {
  expect(describeDecline('insufficient_funds')).toContain('insufficient funds');
  expect(describeDecline('stolen_card')).toBe(describeDecline('generic_decline'));
  expect(describeDecline('something_new')).toContain('it was declined');
});

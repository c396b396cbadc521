import { describe, expect, test } from 'vitest';
import { decideAftercare, noteReturned, paymentToLookAt } from './aftercare.ts';
import type { Charge } from './charge.ts';
import type { CheckoutSession } from './payment.ts';
import type { StripeEvent } from './stripe-event.ts';

const expired = {
  orderId: 'order-1',
  status: 'EXPIRED',
  checkoutSessionId: 'cs_1',
  paymentIntentId: null,
  keptAmountMinor: 0,
} as const;
const finished = { ...expired, status: 'FINISHED', paymentIntentId: 'pi_1', keptAmountMinor: 4500 } as const;
const refunded = { ...finished, status: 'REFUNDED', keptAmountMinor: 0 } as const;
const waiting = { ...expired, status: 'WAITING_FOR_PAYMENT' } as const;

const event = (more: object): StripeEvent => ({
  eventId: 'evt_1',
  type: 'charge.dispute.created',
  createdMs: 0,
  paymentIntentId: 'pi_1',
  about: 'charge',
  ...more,
});
const paid: CheckoutSession = {
  amountMinor: 4500,
  currency: 'USD',
  sessionId: 'cs_1',
  orderId: 'order-1',
  status: 'complete',
  payment: 'paid',
  paymentIntentId: 'pi_1',
  livemode: false,
};
const session = (changes: Partial<CheckoutSession> = {}) =>
  event({ type: 'checkout.session.completed', about: 'session', session: { ...paid, ...changes } });
const charge = (changes: Partial<Charge> = {}): Charge => ({
  paymentIntentId: 'pi_1',
  orderId: 'order-1',
  amountMinor: 4500,
  currency: 'USD',
  refundedMinor: 0,
  refunds: [],
  disputes: [],
  review: null,
  fraudWarnings: [],
  readAtMs: 0,
  ...changes,
});

describe('the payment to look at', () => {
  test.each([
    ['a payment that comes too late', expired, session(), 'pi_1'],
    ['a second payment', finished, session({ paymentIntentId: 'pi_2' }), 'pi_2'],
    ['the one that a dispute is about', finished, event({}), 'pi_1'],
    ['none: its own event, delivered again', finished, session(), undefined],
    ['none: the session is not paid', expired, session({ payment: 'unpaid' }), undefined],
    ['none: the session has expired', expired, session({ status: 'expired', payment: 'unpaid' }), undefined],
    ['none: the session has no payment', expired, session({ paymentIntentId: null }), undefined],
    ['none: a decline', expired, event({ about: 'decline', code: 'x', delayed: false }), undefined],
    ['none: the refund that made it REFUNDED', refunded, event({ type: 'charge.refunded' }), undefined],
    [
      'its own: not all of what a REFUNDED order kept has gone back',
      { ...refunded, keptAmountMinor: 500 },
      event({ type: 'charge.refunded' }),
      'pi_1',
    ],
    ['its own, since that refund may fail', refunded, event({ type: 'refund.failed' }), 'pi_1'],
  ])('is %s', (_what, order, said, paymentIntentId) => {
    expect(paymentToLookAt(order, said)).toBe(paymentIntentId);
  });
});

describe('after its end an order', () => {
  const decide = (
    order: Parameters<typeof paymentToLookAt>[0],
    read: Charge,
    said: StripeEvent = event({}),
    refundIsRequested = false,
  ) => decideAftercare({ ...order, refundIsRequested }, said, read);

  test('returns a payment that comes too late', () => {
    expect(decide(expired, charge(), session()).action).toEqual({ do: 'return' });
    expect(noteReturned(charge(), 'refunded').detail).toBe('We received an extra payment of $45.00 and refunded it.');
  });

  test('returns a second payment, and keeps its own', () => {
    expect(decide(finished, charge({ paymentIntentId: 'pi_2' })).action).toEqual({ do: 'return' });
    expect(decide(finished, charge()).action).toEqual({ do: 'nothing' });
  });

  test('never refunds what our own key did not write its id into, whatever a buyer wrote', () => {
    for (const orderId of [null, 'order-2']) {
      const foreign = charge({ paymentIntentId: 'pi_2', orderId, disputes: [] });
      expect(decide(expired, foreign, session())).toEqual({ notes: [], action: { do: 'nothing' } });
    }
  });

  test('does not return twice what has gone back', () => {
    expect(decide(expired, charge({ refundedMinor: 4500 }), session()).action).toEqual({ do: 'nothing' });
  });

  test('refunds no second time what our refund could not bring back', () => {
    for (const status of ['failed', 'canceled']) {
      const refunds = [{ refundId: 're_1', amountMinor: 4500, status, orderId: 'order-1', failureReason: null }];
      const { notes, action } = decide(expired, charge({ refunds }), event({ type: 'refund.updated' }));
      expect(action).toEqual({ do: 'nothing' });
      expect(notes).toMatchObject([{ event: 'refund.failed', alarm: true }]);
    }
  });

  test('leaves a payment that an order still waits for to the order, but returns one of another page', () => {
    expect(decide(waiting, charge()).action).toEqual({ do: 'nothing' });
    expect(decide(waiting, charge(), session({ sessionId: 'cs_2' })).action).toEqual({ do: 'return' });
  });

  test.each([
    ['was refunded', { refundedMinor: 4500 }, 'The payment was refunded in full.'],
    [
      'was lost in a dispute',
      { disputes: [{ disputeId: 'du_1', status: 'lost', reason: 'fraudulent', amountMinor: 4500 }] },
      'Your bank decided the dispute in your favour and returned the payment.',
    ],
  ])('becomes REFUNDED when all of its money %s at Stripe', (_what, changes, detail) => {
    expect(decide(finished, charge(changes)).action).toEqual({ do: 'refunded', detail });
    expect(decide(finished, charge(changes), event({}), true).action, 'whose refund is under way').toEqual({
      do: 'nothing',
    });
  });

  test('stays FINISHED when a part of its money is refunded, and says so', () => {
    const refunds = [{ refundId: 're_1', amountMinor: 500, status: 'succeeded', orderId: null, failureReason: null }];
    const { notes, action } = decide(finished, charge({ refundedMinor: 500, refunds }));
    expect(action).toEqual({ do: 'nothing' });
    expect(notes).toMatchObject([{ event: 'payment.refunded', alarm: true }]);
  });
});

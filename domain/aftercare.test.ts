import { describe, expect, test } from 'vitest';
import { decideAftercare } from './aftercare.ts';
import type { CheckoutSession } from './payment.ts';

const expired = { orderId: 'order-1', status: 'EXPIRED', paymentIntentId: null } as const;
const finished = { orderId: 'order-1', status: 'FINISHED', paymentIntentId: 'pi_1' } as const;
const money = { amountMinor: 4500, currency: 'USD' };
const paid: CheckoutSession = {
  ...money,
  sessionId: 'cs_1',
  orderId: 'order-1',
  status: 'complete',
  payment: 'paid',
  paymentIntentId: 'pi_1',
  livemode: false,
};
const session = (changes: Partial<CheckoutSession> = {}) =>
  ({ kind: 'session', session: { ...paid, ...changes } }) as const;

describe('after its end an order', () => {
  test('gives a payment back that comes too late', () => {
    expect(decideAftercare(expired, session())).toMatchObject({ do: 'refund', paymentIntentId: 'pi_1' });
  });

  test('gives a second payment back, and keeps its own', () => {
    expect(decideAftercare(finished, session())).toEqual({ do: 'nothing' });
    expect(decideAftercare(finished, session({ paymentIntentId: 'pi_2' }))).toMatchObject({ paymentIntentId: 'pi_2' });
  });

  test.each([
    ['is not paid', { payment: 'unpaid' as const }],
    ['has expired', { status: 'expired' as const, payment: 'unpaid' as const }],
    ["is another order's", { orderId: 'order-2' }],
    ['has no payment', { paymentIntentId: null }],
  ])('does nothing about a session that %s', (_what, changes) => {
    expect(decideAftercare(expired, session(changes))).toEqual({ do: 'nothing' });
  });

  test('tells a person of a dispute when it begins and when it is decided', () => {
    const dispute = (type: string, status: string) =>
      decideAftercare(finished, { ...money, kind: 'dispute', type, status, reason: 'fraudulent' });
    expect(dispute('charge.dispute.created', 'needs_response')).toMatchObject({ do: 'note', alarm: true });
    expect(dispute('charge.dispute.funds_withdrawn', 'needs_response')).toMatchObject({ do: 'note', alarm: false });
    expect(dispute('charge.dispute.closed', 'lost')).toMatchObject({
      alarm: true,
      note: { event: 'dispute.closed', detail: expect.stringContaining('lost') },
    });
  });

  test('tells a person of a refund that did not arrive', () => {
    const step = decideAftercare(finished, { ...money, kind: 'refundFailed', reason: 'expired_or_canceled_card' });
    expect(step).toMatchObject({ do: 'note', alarm: true, note: { event: 'refund.failed' } });
    expect(step).toHaveProperty('note.detail', expect.stringContaining('expired or canceled card'));
  });
});

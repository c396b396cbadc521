import type { Stripe } from 'stripe';
import { expect, test } from 'vitest';
import { toCheckoutSession } from './stripe.ts';

function session(changes: Record<string, unknown>) {
  const wire = {
    id: 'cs_1',
    status: 'complete',
    payment_status: 'paid',
    payment_intent: 'pi_1',
    amount_total: 100,
    currency: 'usd',
    livemode: false,
    metadata: {},
    ...changes,
  };
  return toCheckoutSession(wire as unknown as Stripe.Checkout.Session);
}

test.each([
  ['paid', 'pi_1', 'paid'],
  ['no_payment_required', null, 'paid'],
  ['unpaid', 'pi_1', 'unpaid'],
  ['unpaid', { id: 'pi_1', status: 'processing' }, 'unpaid'],
  ['unpaid', { id: 'pi_1', status: 'requires_payment_method' }, 'failed'],
  ['unpaid', { id: 'pi_1', status: 'canceled' }, 'failed'],
  ['a_word_of_next_year', 'pi_1', 'unpaid'],
])('a complete session that Stripe calls %s, with the payment %j, is %s', (payment_status, payment_intent, payment) => {
  expect(session({ payment_status, payment_intent })).toMatchObject({ payment });
});

test('the order of a session is what our key wrote, never what a buyer can set', () => {
  const buyers = { client_reference_id: 'a-buyer-wrote-this' };
  expect(session({ ...buyers, metadata: { order_id: 'ours' } }).orderId).toBe('ours');
  expect(session(buyers).orderId).toBeNull();
});

import { describe, expect, test } from 'vitest';
import { must } from '../../domain/must.ts';
import { stripeEventTypes } from '../../domain/stripe-event.ts';
import { METADATA, ORDER_ID, SESSION, wireEvent } from '../testing/webhook.ts';
import { isHandled, readReceivedEvent } from './stripe-event.ts';
import { toStripeEvent } from './stripe-event.ts';

function received(type: string, object: unknown) {
  const event = must(readReceivedEvent(wireEvent(type, object, { created: 1 })), 'a snapshot event');
  if (!isHandled(event)) throw new Error(`${type} is not handled`);
  return event;
}

describe('a session', () => {
  test('is reduced to what an order acts on, without the customer', () => {
    const reading = toStripeEvent(received('checkout.session.completed', SESSION));
    expect(reading).toEqual({
      event: {
        eventId: 'evt_1',
        type: 'checkout.session.completed',
        createdMs: 1000,
        paymentIntentId: 'pi_1',
        about: 'session',
        session: {
          sessionId: 'cs_test_1',
          orderId: ORDER_ID,
          status: 'complete',
          payment: 'paid',
          paymentIntentId: 'pi_1',
          amountMinor: 4500,
          currency: 'USD',
          livemode: false,
        },
      },
    });
    expect(JSON.stringify(reading)).not.toContain('Person');
  });

  test.each([
    ['checkout.session.completed', 'unpaid'],
    ['checkout.session.async_payment_succeeded', 'unpaid'],
    ['checkout.session.async_payment_failed', 'failed'],
  ])('that is unpaid in %s is %s', (type, payment) => {
    expect(toStripeEvent(received(type, { ...SESSION, payment_status: 'unpaid' }))).toMatchObject({
      event: { session: { payment } },
    });
  });

  test('that was read again is believed more than the type of its event', () => {
    const event = received('checkout.session.async_payment_failed', { ...SESSION, payment_status: 'unpaid' });
    expect(toStripeEvent(event, { object: SESSION, isFresh: true })).toMatchObject({
      event: { session: { payment: 'paid' } },
    });
  });

  test.each([
    ['a new status', { status: 'paused' }, 'status'],
    ['a new payment status', { payment_status: 'partly_paid' }, 'payment_status'],
    ['an amount in text', { amount_total: '4500' }, 'amount_total'],
    ['no mode', { livemode: undefined }, 'livemode'],
  ])('with %s is not read', (_name, changes, field) => {
    expect(toStripeEvent(received('checkout.session.completed', { ...SESSION, ...changes }))).toEqual({
      problems: [expect.stringMatching(new RegExp(`^${field}: `))],
    });
  });
});

describe('a decline', () => {
  const decline = (last_payment_error: unknown) =>
    toStripeEvent(received('payment_intent.payment_failed', { id: 'pi_1', metadata: METADATA, last_payment_error }));

  test.each([
    [{ decline_code: 'insufficient_funds', code: 'card_declined' }, 'insufficient_funds'],
    [{ code: 'expired_card' }, 'expired_card'],
    [null, 'generic_decline'],
  ])('has the code of %j', (error, code) => {
    expect(decline(error)).toEqual({
      event: {
        eventId: 'evt_1',
        type: 'payment_intent.payment_failed',
        createdMs: 1000,
        paymentIntentId: 'pi_1',
        about: 'decline',
        code,
        delayed: false,
      },
    });
  });

  test.each([
    ['us_bank_account', true],
    ['sepa_debit', true],
    ['konbini', true],
    ['customer_balance', true],
    ['card', false],
    ['link', false],
    ['paypal', false],
    ['ideal', false],
    ['a_method_of_next_year', false],
  ])('of a payment by %s is of a delayed one: %j', (type, delayed) => {
    expect(decline({ code: 'x', payment_method: { id: 'pm_1', type } })).toMatchObject({ event: { delayed } });
  });
});

test.each(stripeEventTypes.filter((type) => !/^(checkout|payment_intent)/.test(type)).map((type) => [type]))(
  'nothing of %s is believed but which payment it is about',
  (type) => {
    const object = { id: 'x_1', payment_intent: 'pi_1', status: 'won', amount: 'much', amount_refunded: -1 };
    expect(toStripeEvent(received(type, object))).toEqual({
      event: { eventId: 'evt_1', type, createdMs: 1000, paymentIntentId: 'pi_1', about: 'charge' },
    });
  },
);

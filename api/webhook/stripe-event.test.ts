import { describe, expect, test } from 'vitest';
import { parseStripeEvent } from './stripe-event.ts';

const ORDER_ID = '68ce52f4cdbf4a483de63446';
const TRACEPARENT = '00-654f54b90d7ed003c4d05fad87e5a925-0123456789abcdef-01';
const METADATA = { order_id: ORDER_ID, traceparent: TRACEPARENT };

function event(type: string, object: Record<string, unknown>) {
  return {
    id: 'evt_1',
    object: 'event',
    type,
    created: 1,
    livemode: false,
    api_version: '2026-10-28.endive',
    data: { object },
  };
}

const SESSION = {
  id: 'cs_test_1',
  object: 'checkout.session',
  livemode: false,
  client_reference_id: ORDER_ID,
  status: 'complete',
  payment_status: 'paid',
  payment_intent: 'pi_1',
  amount_total: 4500,
  currency: 'usd',
  metadata: METADATA,
  customer_details: { email: 'person@example.com', name: 'A Person' },
};

describe('events that orders act on', () => {
  test('reduces a session to what is needed, without the customer', () => {
    const received = parseStripeEvent(event('checkout.session.completed', SESSION));
    expect(received).toEqual({
      eventId: 'evt_1',
      type: 'checkout.session.completed',
      createdMs: 1000,
      livemode: false,
      ofOtherAccount: false,
      forOrder: {
        orderId: ORDER_ID,
        traceparent: TRACEPARENT,
        event: {
          eventId: 'evt_1',
          type: 'checkout.session.completed',
          kind: 'session',
          paymentIntentId: 'pi_1',
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
      },
    });
    expect(JSON.stringify(received)).not.toContain('Person');
  });

  test.each([
    ['checkout.session.completed', 'unpaid'],
    ['checkout.session.async_payment_succeeded', 'unpaid'],
    ['checkout.session.async_payment_failed', 'failed'],
  ])('tells a delayed payment that failed from one on its way: %s', (type, payment) => {
    const received = parseStripeEvent(event(type, { ...SESSION, payment_status: 'unpaid' }));
    expect(received.forOrder?.event).toMatchObject({ session: { payment } });
  });

  test.each([
    [{ decline_code: 'insufficient_funds', code: 'card_declined' }, 'insufficient_funds'],
    [{ code: 'expired_card' }, 'expired_card'],
    [null, 'generic_decline'],
  ])('takes the code of a decline: %j', (last_payment_error, code) => {
    const intent = { id: 'pi_1', metadata: METADATA, last_payment_error };
    expect(parseStripeEvent(event('payment_intent.payment_failed', intent)).forOrder).toMatchObject({
      orderId: ORDER_ID,
      event: { kind: 'declined', code, paymentIntentId: 'pi_1' },
    });
  });

  test.each(['pi_1', { id: 'pi_1', object: 'payment_intent' }])(
    'finds the payment of a dispute: %j',
    (payment_intent) => {
      const dispute = {
        id: 'dp_1',
        charge: 'ch_1',
        payment_intent,
        status: 'needs_response',
        reason: 'fraudulent',
        amount: 4500,
        currency: 'usd',
        metadata: {},
      };
      expect(parseStripeEvent(event('charge.dispute.created', dispute)).forOrder).toEqual({
        orderId: undefined,
        traceparent: undefined,
        event: {
          eventId: 'evt_1',
          type: 'charge.dispute.created',
          kind: 'dispute',
          paymentIntentId: 'pi_1',
          disputeId: 'dp_1',
          status: 'needs_response',
          reason: 'fraudulent',
          amountMinor: 4500,
          currency: 'USD',
        },
      });
    },
  );

  test('takes a refund that failed', () => {
    const refund = {
      id: 're_1',
      payment_intent: 'pi_1',
      failure_reason: 'expired_or_canceled_card',
      amount: 4500,
      currency: 'usd',
      metadata: { order_id: ORDER_ID },
    };
    expect(parseStripeEvent(event('refund.failed', refund)).forOrder).toMatchObject({
      orderId: ORDER_ID,
      event: { kind: 'refundFailed', refundId: 're_1', reason: 'expired_or_canceled_card', paymentIntentId: 'pi_1' },
    });
  });

  test.each([null, 'another-shop-42', '68CE52F4CDBF4A483DE63446'])(
    'does not take the reference %j for an order id',
    (client_reference_id) => {
      const object = { ...SESSION, client_reference_id, metadata: {} };
      expect(parseStripeEvent(event('checkout.session.completed', object)).forOrder?.orderId).toBeUndefined();
    },
  );
});

describe('other events', () => {
  test('are known by their type alone', () => {
    expect(parseStripeEvent(event('charge.succeeded', {}))).toEqual({
      eventId: 'evt_1',
      type: 'charge.succeeded',
      createdMs: 1000,
      livemode: false,
      ofOtherAccount: false,
      forOrder: undefined,
    });
  });

  test.each([
    ['null', null],
    ['a text', 'x'],
    ['no id', { ...event('charge.succeeded', {}), id: undefined }],
    ['a session without a status', event('checkout.session.completed', { ...SESSION, payment_status: 'perhaps' })],
    ['an amount in text', event('checkout.session.completed', { ...SESSION, amount_total: '4500' })],
  ])('are refused where they are not as Stripe documents them: %s', (_name, payload) => {
    expect(() => parseStripeEvent(payload)).toThrow(expect.objectContaining({ errorCode: 1000 }));
  });
});

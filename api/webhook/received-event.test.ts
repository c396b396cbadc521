import { describe, expect, test } from 'vitest';
import { stripeEventTypes } from '../../domain/stripe-event.ts';
import { must } from '../../domain/must.ts';
import { METADATA, ORDER_ID, SESSION, wireEvent } from '../testing/webhook.ts';
import { isHandled, readReceivedEvent, subjectOf } from './stripe-event.ts';

function subject(type: string, object: unknown) {
  const received = must(readReceivedEvent(wireEvent(type, object)), 'a snapshot event');
  if (!isHandled(received)) throw new Error(`${type} is not handled`);
  return subjectOf(received);
}

test('the envelope is read without regard to the object', () => {
  expect(readReceivedEvent(wireEvent('whatever', { anything: 1 }, { created: 1.5, api_version: undefined }))).toEqual({
    eventId: 'evt_1',
    type: 'whatever',
    createdMs: 1500,
    livemode: false,
    ofOtherAccount: false,
    apiVersion: null,
    object: { anything: 1 },
  });
});

test.each([
  ['acct_1', true],
  [{ id: 'acct_1' }, true],
  [null, false],
  [undefined, false],
])('an event with account %j is of another account: %j', (account, ofOtherAccount) => {
  expect(readReceivedEvent(wireEvent('x', {}, { account }))).toMatchObject({ ofOtherAccount });
});

describe('what an event is about', () => {
  const NAMED_ALONE = new Set([
    'charge.dispute.created',
    'charge.dispute.updated',
    'charge.dispute.closed',
    'review.opened',
    'review.closed',
    'radar.early_fraud_warning.created',
  ]);

  test.each(stripeEventTypes.map((type) => [type]))('%s names its payment', (type) => {
    const object = type.startsWith('payment_intent.') ? { id: 'pi_1' } : { id: 'x_1', payment_intent: 'pi_1' };
    expect(subject(type, object).paymentIntentId).toBe('pi_1');
  });

  test.each(stripeEventTypes.map((type) => [type]))('%s names an order only in what our key wrote', (type) => {
    const orderId = NAMED_ALONE.has(type) ? null : ORDER_ID;
    expect(subject(type, { ...SESSION, metadata: METADATA }).orderId).toBe(orderId);
    expect(subject(type, { ...SESSION, metadata: {}, client_reference_id: ORDER_ID }).orderId).toBeNull();
  });

  test.each([
    ['an expanded payment', { id: 'ch_1', payment_intent: { id: 'pi_1', object: 'payment_intent' } }, 'pi_1'],
    ['no payment', { id: 'ch_1', payment_intent: null }, null],
    ['a payment of another form', { id: 'ch_1', payment_intent: 7 }, null],
  ])('%s is read as its id', (_name, object, paymentIntentId) => {
    expect(subject('charge.refunded', object).paymentIntentId).toBe(paymentIntentId);
  });

  test.each([
    null,
    'text',
    7,
    {},
    { order_id: 7 },
    { order_id: 'another-shop-42' },
    { order_id: ORDER_ID.toUpperCase() },
  ])('the metadata %j names no order', (metadata) => {
    expect(subject('checkout.session.completed', { ...SESSION, metadata }).orderId).toBeNull();
  });
});

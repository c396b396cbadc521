import { Stripe } from 'stripe';
import { describe, expect, test } from 'vitest';
import { stripeEventTypes } from '../../domain/stripe-event.ts';
import { checkVersions, missingEvents } from './check-stripe.ts';

test.each([
  { name: 'all events', endpoints: [['*']], missing: [] },
  { name: 'each event by its name', endpoints: [[...stripeEventTypes, 'charge.succeeded']], missing: [] },
  { name: 'an endpoint of others beside ours', endpoints: [['invoice.paid'], ['*']], missing: [] },
  { name: 'all but one', endpoints: [stripeEventTypes.slice(1)], missing: [stripeEventTypes[0]] },
  // Two half endpoints have two secrets, and the receiver would need both.
  {
    name: 'two halves',
    endpoints: [stripeEventTypes.slice(2), stripeEventTypes.slice(0, 2)],
    missing: stripeEventTypes.slice(0, 2),
  },
])('names the events that no endpoint sends: $name', ({ endpoints, missing }) => {
  expect(missingEvents(endpoints)).toEqual(missing);
});

describe('the API version of an endpoint', () => {
  const OLD = '2020-08-27';
  const endpoint = (api_version: string | null, enabled_events: string[] = ['*']) => ({
    url: 'https://shop.example/webhook',
    api_version,
    enabled_events,
  });

  test.each([
    { name: "is the SDK's", endpoints: [endpoint(Stripe.API_VERSION)], ofAccount: OLD },
    {
      name: "is the account's default, which is the SDK's",
      endpoints: [endpoint(null)],
      ofAccount: Stripe.API_VERSION,
    },
    { name: "is the account's default, which is not known", endpoints: [endpoint(null)], ofAccount: undefined },
    { name: 'is another, of an endpoint that sends nothing of orders', endpoints: [endpoint(OLD, ['invoice.paid'])] },
  ])('is well if it $name', ({ endpoints, ofAccount }) => {
    expect(checkVersions(endpoints, ofAccount)).toEqual([]);
  });

  test.each([
    { name: 'is another', endpoints: [endpoint(OLD)], ofAccount: Stripe.API_VERSION, says: `(${OLD})` },
    {
      name: 'is another, and only some events of orders are sent',
      endpoints: [endpoint(OLD, ['charge.refunded'])],
      says: `(${OLD})`,
    },
    {
      name: "is the account's default, which is another",
      endpoints: [endpoint(Stripe.API_VERSION), endpoint(null)],
      ofAccount: OLD,
      says: `(the account's default, ${OLD})`,
    },
  ])('is a warning with both versions and the fix if it $name', ({ endpoints, ofAccount, says }) => {
    expect(checkVersions(endpoints, ofAccount)).toEqual([
      {
        level: 'warning',
        about: 'Webhook',
        message: expect.stringContaining(says),
        fix: expect.stringContaining(`Make an endpoint with API version ${Stripe.API_VERSION}`),
      },
    ]);
  });
});

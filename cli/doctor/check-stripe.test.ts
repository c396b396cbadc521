import { expect, test } from 'vitest';
import { stripeEventTypes } from '../../contracts/messages.ts';
import { missingEvents } from './check-stripe.ts';

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

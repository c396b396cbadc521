/** One thing taken away that keeps money or goods safe, and the tests that should notice. */
export type Mutation = {
  readonly name: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  readonly tests: readonly string[];
};

export const mutations: readonly Mutation[] = [
  {
    name: "the reservation's lock row: a late hold after the give-back",
    file: 'database/stock.ts',
    find: "if (reservation.state === 'released') {",
    replace: 'if (false as boolean) {',
    tests: ['database/stock.pg.test.ts'],
  },
  {
    name: "the reservation's lock row: a give-back twice",
    file: 'database/stock.ts',
    find: "WHERE reservations.state = 'held' AND reservations.run_id = $2",
    replace: 'WHERE reservations.run_id = $2',
    tests: ['database/stock.pg.test.ts'],
  },
  {
    name: "the reservation's owner: another run gives back",
    file: 'database/stock.ts',
    find: "WHERE reservations.state = 'held' AND reservations.run_id = $2",
    replace: "WHERE reservations.state = 'held'",
    tests: ['database/stock.pg.test.ts'],
  },
  {
    name: 'the Stripe key of the checkout session',
    file: 'activities/payment.ts',
    find: '`${input.orderId}:checkout:${input.generation}`',
    replace: '`${input.orderId}:checkout:${Math.random()}`',
    tests: ['tests/stripe-faults.test.ts'],
  },
  {
    name: 'the generation of the Stripe key',
    file: 'activities/payment.ts',
    find: '`${input.orderId}:checkout:${input.generation}`',
    replace: '`${input.orderId}:checkout`',
    tests: ['tests/stripe-faults.test.ts'],
  },
  {
    name: 'expire before cancel',
    file: 'domain/payment.ts',
    find: "if (state.closing === undefined) return { state: { ...state, closing }, decision: { do: 'closeSession' } };",
    replace: "if (state.closing === undefined) return { state, decision: { do: 'end', closing } };",
    tests: ['tests/cancel.test.ts', 'domain/order-model.test.ts'],
  },
  {
    name: 'the check of the event id',
    file: 'workflows/order/handlers.ts',
    find: 'if (seenEvents.has(event.eventId)) return;',
    replace: '',
    tests: ['tests/stripe-events.test.ts'],
  },
  {
    name: 'the step that is stopped still says how it ended',
    file: 'workflows/order/deliver.ts',
    find: "if (result.outcome === 'shipped') return result;",
    replace: "if (result.outcome === 'shipped' && order.inbox.isEmpty) return result;",
    tests: ['tests/fulfillment.test.ts'],
  },
  {
    name: 'the check of amount and currency',
    file: 'domain/payment.ts',
    find: 'if (session.amountMinor !== expected.amountMinor || session.currency !== expected.currency) {',
    replace: 'if (false as boolean) {',
    tests: ['tests/stripe-events.test.ts'],
  },
  {
    name: 'the hash of the request',
    file: 'api/routes/create-order.ts',
    find: 'if (made.requestHash === input.requestHash) return;',
    replace: 'if (made.requestHash !== undefined) return;',
    tests: ['tests/idempotent-create.test.ts'],
  },
  {
    name: 'the refund of a payment that comes after the end',
    file: 'workflows/payment-aftercare.ts',
    find: "if (action.do === 'return') await",
    replace: "if (action.do === 'return' && Date.now() < 0) await",
    tests: ['tests/aftercare.test.ts'],
  },
  {
    name: 'the stock goes back at the end',
    file: 'workflows/order/collect-payment.ts',
    find: "        case 'end':\n          await order.giveBackStock();",
    replace: "        case 'end':",
    tests: ['tests/cancel.test.ts'],
  },
  {
    name: 'the call-off before a refund',
    file: 'workflows/order/deliver.ts',
    find: '  if (order.fulfilling) {',
    replace: '  if (order.fulfilling && Date.now() < 0) {',
    tests: ['tests/fulfillment.test.ts'],
  },
  {
    name: 'news of the money stop the shipment',
    file: 'workflows/order/deliver.ts',
    find: 'if (isAboutPayment(order, message.event)) setOutdated(order);',
    replace: 'if (isAboutPayment(order, message.event)) order.inbox.poll();',
    tests: ['tests/money-that-goes-back.test.ts'],
  },
  {
    name: 'old news of a payment are not believed',
    file: 'workflows/order/deliver.ts',
    find: 'return payment === undefined || Date.now() - payment.asOfMs >= BELIEVED_FOR_MS;',
    replace: 'return payment === undefined || payment.asOfMs === 0;',
    tests: ['tests/money-that-goes-back.test.ts'],
  },
  {
    name: 'money of another sale is left alone',
    file: 'domain/aftercare.ts',
    find: 'if (!isItsPayment && charge.orderId !== order.orderId) return',
    replace: 'if (Date.now() < 0) return',
    tests: ['domain/aftercare.test.ts', 'domain/order-model.test.ts'],
  },
  {
    name: "a buyer's words beside a session count for nothing",
    file: 'platform/stripe.ts',
    find: "session.metadata?.['order_id'] ?? null",
    replace: "session.client_reference_id ?? session.metadata?.['order_id'] ?? null",
    tests: ['platform/stripe.test.ts', 'tests/money-that-goes-back.test.ts'],
  },
  {
    name: 'the refund that was decided on is written down first',
    file: 'workflows/order/deliver.ts',
    find: 'await order.timeline.note(note, { data: { refund: why.refund } });',
    replace: 'if (Date.now() < 0) await order.timeline.note(note, { data: { refund: why.refund } });',
    tests: ['tests/long-refunds.test.ts'],
  },
  {
    name: 'long histories go on in a new run',
    file: 'workflows/shared/refund.ts',
    find: 'return continueAsNewSuggested || historyLength >= LONG_HISTORY_EVENTS;',
    replace: 'return continueAsNewSuggested && historyLength < 0;',
    tests: ['tests/long-refunds.test.ts'],
  },
  {
    name: 'what is kept: lost disputes count',
    file: 'domain/charge.ts',
    find: 'return Math.max(0, amountMinor - refundedMinor - lost);',
    replace: 'return Math.max(0, amountMinor - refundedMinor);',
    tests: ['domain/charge.test.ts'],
  },
  {
    name: 'one source writes one entry',
    file: 'database/orders.ts',
    find: 'AND NOT EXISTS (SELECT FROM order_timeline WHERE order_id = $1 AND source = $2)',
    replace: '',
    tests: ['database/orders.pg.test.ts'],
  },
  {
    name: 'a transition starts from the status of the row',
    file: 'database/orders.ts',
    find: 'AND ($5::text IS NULL OR status = $5)',
    replace: 'AND ($5::text IS NULL OR TRUE)',
    tests: ['database/orders.pg.test.ts'],
  },
  {
    name: "the webhook's signature",
    file: 'api/webhook.ts',
    find: 'verifyStripeSignature(body, header, endpointSecrets, Date.now())',
    replace: 'JSON.parse(body.toString())',
    tests: ['api/webhook.test.ts'],
  },
  {
    name: 'an order is known by what our key wrote alone',
    file: 'api/webhook/stripe-event.ts',
    find: "const orderId = fieldOf(metadata, 'order_id');",
    replace: "const orderId = fieldOf(metadata, 'order_id') ?? '68ce52f4cdbf4a483de63446';",
    tests: ['api/webhook.test.ts'],
  },
  {
    name: 'events in another API version are not trusted',
    file: 'api/webhook/take-event.ts',
    find: 'if (apiVersion === Stripe.API_VERSION) {',
    replace: 'if (apiVersion !== undefined) {',
    tests: ['api/webhook.test.ts'],
  },
];

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
    find: "return { state: { ...state, closing }, step: { do: 'closeSession' } };",
    replace: "return { state, step: { do: 'end', closing } };",
    tests: ['tests/cancel.test.ts', 'domain/order-model.test.ts'],
  },
  {
    name: 'the check of the event id',
    file: 'workflows/order-lifecycle.ts',
    find: 'if (seenEvents.has(event.eventId)) return;',
    replace: '',
    tests: ['tests/stripe-events.test.ts'],
  },
  {
    name: 'the transition goes before the inbox',
    file: 'workflows/watched-step.ts',
    find: 'if (!this.#settled) await restOfWorkflowTask();',
    replace: '',
    tests: ['tests/refund.test.ts'],
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
    file: 'workflows/aftercare-steps.ts',
    find: 'await refundPaymentAfterDisputes(activities,',
    replace: 'if (Date.now() < 0) await refundPaymentAfterDisputes(activities,',
    tests: ['tests/aftercare.test.ts'],
  },
  {
    name: 'the stock goes back at the end',
    file: 'workflows/order.ts',
    find: 'this.#compensations.push({ undoes, undo });',
    replace: "if (undoes !== 'stock') this.#compensations.push({ undoes, undo });",
    tests: ['tests/cancel.test.ts'],
  },
  {
    name: 'the call-off before a refund',
    file: 'workflows/fulfillment-steps.ts',
    find: "if (result.outcome === 'shipped') {\n    log.warn(",
    replace: "if (Date.now() < 0 && result.outcome === 'shipped') {\n    log.warn(",
    tests: ['tests/fulfillment.test.ts'],
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
    file: 'api/webhook/received-event.ts',
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
  {
    name: 'the lock behind which unpaid orders are counted',
    file: 'database/open-orders.ts',
    find: 'SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM',
    replace: 'SELECT name FROM',
    tests: ['database/open-orders.pg.test.ts', 'tests/order-limits.test.ts'],
  },
  {
    name: 'a paid order that no longer counts as unpaid',
    file: 'database/orders.ts',
    find: "WHERE $6 = 'PAID' AND reservations.order_id",
    replace: "WHERE $6 = 'NEVER' AND reservations.order_id",
    tests: ['database/open-orders.pg.test.ts', 'tests/order-limits.test.ts'],
  },
  {
    name: 'the customer of the path is the one who has signed in',
    file: 'api/sign-in/guards.ts',
    find: 'if (customerId !== customerID) {',
    replace: 'if (false as boolean) {',
    tests: ['api/sign-in/access.test.ts'],
  },
  {
    name: 'a link opens its own order alone',
    file: 'api/sign-in/guards.ts',
    find: "if ((await orderLinks.verify(linkToken)) !== orderID) throw noSuchOrder(orderID, 'customer');",
    replace: 'await orderLinks.verify(linkToken);',
    tests: ['api/sign-in/access.test.ts'],
  },
];

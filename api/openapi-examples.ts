/** The examples of the OpenAPI document; a test checks them against the schemas of their routes. */

const ORDER_ID = '68ce52f4cdbf4a483de63446';
export const CUSTOMER_ID = '0a69556f-fe95-48eb-bb0a-099d9b0f2a50';
const PENCIL = 'prod_SNjRcpjxpiazxk';
const BOOK = 'prod_SNjQpQjNC8QuaD';
const CREATED_AT = '2026-11-26T09:00:00.000Z';
const PAID_AT = '2026-11-26T09:02:11.000Z';

const refund = {
  amount_minor: 100,
  items: [{ item_id: PENCIL, quantity: 1 }],
  reason: 'One was broken.',
  state: 'accepted',
  created_at: '2026-11-26T10:00:00.000Z',
};
const order = {
  order_id: ORDER_ID,
  customer_id: CUSTOMER_ID,
  status: 'PAID',
  items: [
    { item_id: PENCIL, name: 'Pencil', quantity: 20, unit_amount_minor: 100 },
    { item_id: BOOK, name: 'Book', quantity: 5, unit_amount_minor: 500 },
  ],
  total_amount_minor: 4500,
  currency: 'USD',
  payment_link: 'https://checkout.stripe.com/c/pay/cs_test_a1',
  tracking_number: null,
  created_at: CREATED_AT,
  updated_at: PAID_AT,
  timeline: [
    {
      at: CREATED_AT,
      status: 'PENDING',
      event: 'order.created',
      detail: 'Ordered: 1 × Pencil; $1.00. The stock is held; the payment link is being created.',
    },
    {
      at: '2026-11-26T09:00:01.000Z',
      status: 'WAITING_FOR_PAYMENT',
      event: 'payment.requested',
      detail: 'The payment link is ready; the order waits for its payment.',
    },
    {
      at: PAID_AT,
      status: 'PAID',
      event: 'order.paid',
      detail: 'The payment has arrived; the order is being shipped.',
    },
  ],
  refunds: [] as (typeof refund)[],
};
const cancelledOrder = {
  ...order,
  status: 'CANCELLED',
  timeline: [
    ...order.timeline.slice(0, 2),
    { at: PAID_AT, status: 'CANCELLED', event: 'order.cancelled', detail: 'You cancelled this order.' },
  ],
};
/** The same order as operators see it. `by`: the operator who caused the last entry. */
function forOperators(seen: typeof order, by: string | null = null) {
  return {
    ...seen,
    timeline: seen.timeline.map((entry, index) => ({ ...entry, by: index === seen.timeline.length - 1 ? by : null })),
    refunds: seen.refunds.map((made) => ({
      ...made,
      refund_id: '5a0e4f1b7c9d2e3f8a6b1c0d',
      restock: true,
      by: 'operator-7',
      failure_reason: null,
      stripe_refund_id: 're_3',
      made_at_stripe: false,
    })),
    kept_amount_minor: 4500,
    left_amount_minor: 4500,
    checkout_session_id: 'cs_test_a1',
    payment_intent_id: 'pi_3',
    workflow_id: ORDER_ID,
    trace_id: '654f54b90d7ed003c4d05fad87e5a925',
  };
}
const listedOrder = {
  order_id: ORDER_ID,
  status: 'PAID',
  total_amount_minor: 4500,
  currency: 'USD',
  created_at: CREATED_AT,
  updated_at: PAID_AT,
};
const NEXT_CURSOR = Buffer.from(`2026-11-26T09:00:00.000000Z ${ORDER_ID}`).toString('base64url');
const itemOnSale = { item_id: PENCIL, name: 'Pencil', unit_amount_minor: 100, currency: 'USD', available: 80 };
const item = { ...itemOnSale, on_sale: true, held: 20, initial: 100, restocked: 0 };

type Example = {
  readonly request?: unknown;
  /** The `data` of a successful answer. */
  readonly answer?: unknown;
};

/** By operationId. */
export const examples: Readonly<Record<string, Example>> = {
  createOrder: {
    request: {
      customerID: CUSTOMER_ID,
      items: [
        { itemID: PENCIL, quantity: 5 },
        { itemID: BOOK, quantity: 5 },
        { itemID: PENCIL, quantity: 15 },
      ],
    },
    answer: {
      customer_id: CUSTOMER_ID,
      order_id: ORDER_ID,
      redirect_url: `http://127.0.0.1:8101/payment?customer-id=${CUSTOMER_ID}&order-id=${ORDER_ID}`,
    },
  },
  readOrder: { answer: order },
  listOrders: { answer: { orders: [listedOrder], next_cursor: NEXT_CURSOR } },
  cancelOrder: { request: {}, answer: cancelledOrder },
  listItems: { answer: { items: [itemOnSale] } },
  operatorListOrders: { answer: { orders: [{ ...listedOrder, customer_id: CUSTOMER_ID }], next_cursor: null } },
  operatorReadOrder: { answer: forOperators(order) },
  operatorCancelOrder: {
    request: { reason: 'The item is no longer available.' },
    answer: { ...forOperators(cancelledOrder, 'operator-7'), kept_amount_minor: 0 },
  },
  refundOrder: {
    request: { items: refund.items, restock: true, reason: refund.reason },
    answer: {
      ...forOperators({ ...order, refunds: [refund] }),
      status: 'FINISHED',
      kept_amount_minor: 4400,
      left_amount_minor: 4400,
    },
  },
  releaseOrder: { request: {}, answer: forOperators(order) },
  listEvents: {
    answer: {
      events: [
        {
          id: 1042,
          type: 'order.paid',
          at: PAID_AT,
          order_id: ORDER_ID,
          customer_id: CUSTOMER_ID,
          status: 'PAID',
          seq: 3,
          detail: 'The payment has arrived; the order is being shipped.',
          data: {},
        },
      ],
      next: 1042,
    },
  },
  operatorListItems: { answer: { items: [item] } },
  addItem: {
    request: { item_id: 'pen', name: 'Pen', unit_amount_minor: 150, currency: 'USD', available: 40, on_sale: true },
    answer: {
      ...item,
      item_id: 'pen',
      name: 'Pen',
      unit_amount_minor: 150,
      available: 40,
      held: 0,
      initial: 40,
    },
  },
  changeItem: {
    request: { unit_amount_minor: 120, reason: 'Paper went up.' },
    answer: { ...item, unit_amount_minor: 120 },
  },
  changeStock: {
    request: { change: -3, reason: 'Broken in the shop.' },
    answer: { ...item, available: 77, restocked: -3 },
  },
};

/** By the name of a path's parameter. */
export const parameterExamples: Readonly<Record<string, unknown>> = {
  customerID: CUSTOMER_ID,
  orderID: ORDER_ID,
  itemID: PENCIL,
};

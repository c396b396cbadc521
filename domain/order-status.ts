/** Every status an order can have, in the order in which a customer may see them. */
export const orderStatuses = [
  'PENDING',
  'WAITING_FOR_PAYMENT',
  'PAID',
  'FINISHED',
  'CANCELLED',
  'EXPIRED',
  'REFUNDED',
] as const;

export type OrderStatus = (typeof orderStatuses)[number];

type Transition = {
  /** Undefined if the transition creates the order. */
  readonly from: OrderStatus | undefined;
  readonly to: OrderStatus;
  /** The entry that the transition leaves on the order's timeline. */
  readonly event: string;
  readonly when: string;
};

/**
 * The one table of an order's states. The runtime check, the SQL constraint, docs/order-states.md and the property
 * tests are checked against it.
 */
export const transitions = [
  { from: undefined, to: 'PENDING', event: 'order.created', when: 'stock is deducted for every line' },
  { from: 'PENDING', to: 'WAITING_FOR_PAYMENT', event: 'payment.requested', when: 'the payment link is created' },
  {
    from: 'WAITING_FOR_PAYMENT',
    to: 'PAID',
    event: 'order.paid',
    when: "it is paid, and the amount and currency are the order's",
  },
  { from: 'PAID', to: 'FINISHED', event: 'order.finished', when: 'it is fulfilled' },
  {
    from: 'PENDING',
    to: 'CANCELLED',
    event: 'order.cancelled',
    when: 'it is cancelled, or no payment can be created; the stock is given back',
  },
  {
    from: 'WAITING_FOR_PAYMENT',
    to: 'CANCELLED',
    event: 'order.cancelled',
    when: 'it is cancelled, or its payment failed for good or was wrong; the stock is given back',
  },
  {
    from: 'WAITING_FOR_PAYMENT',
    to: 'EXPIRED',
    event: 'order.expired',
    when: 'the payment window is over and Stripe agrees that nothing was paid; the stock is given back',
  },
  {
    from: 'PAID',
    to: 'REFUNDED',
    event: 'order.refunded',
    when: 'it cannot be fulfilled, is cancelled before it is, or its money went back; the stock is given back',
  },
  {
    from: 'FINISHED',
    to: 'REFUNDED',
    event: 'order.refunded',
    when: 'an operator refunds it, with or without restock; or all of its money went back at Stripe',
  },
] as const satisfies readonly Transition[];

/** The timeline's entries that change the status. */
export type TransitionEvent = (typeof transitions)[number]['event'];

/** Whether the order may go from one status to another; `from` is undefined for a new order. */
export function canTransition(from: OrderStatus | undefined, to: OrderStatus): boolean {
  return transitions.some((transition) => transition.from === from && transition.to === to);
}

/** Whether an order that is in one status can come into another one, at once or step by step. */
export function leadsTo(from: OrderStatus, to: OrderStatus): boolean {
  return transitions.some(
    (transition) => transition.from === from && (transition.to === to || leadsTo(transition.to, to)),
  );
}

/** Returns the timeline's event for the transition into a status. */
export function transitionEvent(to: OrderStatus): TransitionEvent {
  const transition = transitions.find((candidate) => candidate.to === to);
  if (transition === undefined) throw new Error(`No transition leads to ${to}`);
  return transition.event;
}

/** The statuses in which an order ends. FINISHED can still become REFUNDED, but not by itself. */
export type EndStatus = 'FINISHED' | 'CANCELLED' | 'EXPIRED' | 'REFUNDED';
/** The statuses in which an order waits for something. */
export type OpenStatus = Exclude<OrderStatus, EndStatus>;

/** Whether the order has ended. */
export function isTerminal(status: OrderStatus): status is EndStatus {
  return status === 'FINISHED' || status === 'CANCELLED' || status === 'EXPIRED' || status === 'REFUNDED';
}

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { decideAftercare, paymentToLookAt } from './aftercare.ts';
import { type Charge, doubtsAbout, keptOf, wayBackOf } from './charge.ts';
import { canTransition, isTerminal, type OrderStatus } from './order-status.ts';
import {
  awaitPayment,
  type CheckoutSession,
  decidePayment,
  type PaymentDecision,
  type PaymentNews,
} from './payment.ts';
import type { StripeEvent, StripeEventType } from './stripe-event.ts';

/*
 * An order made of the pure decisions alone, beside a Stripe of a few lines: thousands of sequences, no server. What the
 * workflow adds to it (waiting, retries, crashes) is tried by tests/order-model.test.ts.
 */

const PRICE = 4500;
const ORDER_ID = 'a'.repeat(24);
const SESSION_ID = 'cs_1';

class Model {
  status: OrderStatus = 'PENDING';
  readonly path: OrderStatus[] = ['PENDING'];
  payment: AwaitedOrder;
  paidWith: string | null = null;
  shipped = false;
  /** The timeline's notes, by source. */
  readonly notes = new Set<string>();
  /** What Stripe holds. */
  session: CheckoutSession;
  readonly charges = new Map<string, Charge>();
  readonly events: StripeEvent[] = [];

  constructor() {
    const expected = { orderId: ORDER_ID, sessionId: SESSION_ID, amountMinor: PRICE, currency: 'USD', livemode: false };
    this.payment = awaitPayment(expected);
    this.session = { ...expected, status: 'open', payment: 'unpaid', paymentIntentId: null };
    this.go('WAITING_FOR_PAYMENT');
  }

  go(to: OrderStatus): void {
    expect(canTransition(this.status, to), `${this.status} → ${to}`).toBe(true);
    this.status = to;
    this.path.push(to);
  }

  get order() {
    const keptAmountMinor = this.paidWith === null || this.status === 'REFUNDED' ? 0 : PRICE;
    return {
      orderId: ORDER_ID,
      status: this.status,
      checkoutSessionId: SESSION_ID,
      paymentIntentId: this.paidWith,
      keptAmountMinor,
    };
  }

  emit(type: StripeEventType, about: object, paymentIntentId: string | null): void {
    const eventId = `evt_${this.events.length}`;
    this.events.push({ eventId, type, createdMs: 0, paymentIntentId, ...about } as StripeEvent);
  }

  /** The customer's side of Stripe. Only an open session can be paid. */
  atSession(change: Partial<CheckoutSession>, when: boolean): void {
    if (!when) return;
    this.session = { ...this.session, ...change };
    const { paymentIntentId, amountMinor, currency } = this.session;
    if (change.payment === 'paid') this.charge(paymentIntentId ?? '', amountMinor, currency, ORDER_ID);
    this.emit('checkout.session.completed', { about: 'session', session: this.session }, paymentIntentId);
  }

  charge(paymentIntentId: string, amountMinor: number, currency: string, orderId: string | null): void {
    this.charges.set(paymentIntentId, {
      paymentIntentId,
      orderId,
      amountMinor,
      currency,
      refundedMinor: 0,
      refunds: [],
      disputes: [],
      review: null,
      fraudWarnings: [],
      readAtMs: 0,
    });
  }

  /** What a person at the dashboard, the bank or Stripe does to the newest charge. */
  toCharge(type: StripeEventType, change: (charge: Charge) => Charge): void {
    const charge = [...this.charges.values()].at(-1);
    if (charge === undefined) return;
    this.charges.set(charge.paymentIntentId, change(charge));
    this.emit(type, { about: 'charge' }, charge.paymentIntentId);
  }

  read(paymentIntentId: string): Charge {
    const charge = this.charges.get(paymentIntentId);
    if (charge === undefined) throw new Error(`nothing was charged with ${paymentIntentId}`);
    return charge;
  }

  /** Refunds all that is left. */
  refund(paymentIntentId: string): void {
    const charge = this.read(paymentIntentId);
    expect(charge.orderId, 'money of another sale is never refunded').toBe(ORDER_ID);
    this.charges.set(paymentIntentId, { ...charge, refundedMinor: charge.refundedMinor + keptOf(charge) });
  }

  receive(news: PaymentNews): void {
    if (this.status === 'WAITING_FOR_PAYMENT') {
      const { state, decision } = decidePayment(this.payment, news);
      this.payment = state;
      this.carryOut(decision);
    } else if (news.kind === 'stripeEvent') this.settle(news.event);
  }

  carryOut(decision: PaymentDecision): void {
    switch (decision.do) {
      case 'closeSession':
        if (this.session.status === 'open') this.session = { ...this.session, status: 'expired' };
        this.answer();
        break;
      case 'readSession':
        this.answer();
        break;
      case 'handOver':
        this.settle(decision.event);
        break;
      case 'accept':
        expect(this.session.amountMinor, 'only the right amount is accepted').toBe(PRICE);
        this.paidWith = decision.payment.paymentIntentId;
        this.go('PAID');
        if (this.payment.closing?.status === 'CANCELLED') this.giveBack();
        break;
      case 'refuse':
        this.refund(decision.paymentIntentId);
        this.paidWith = decision.paymentIntentId;
        this.go('CANCELLED');
        break;
      case 'end':
        expect(this.session.status, 'nothing ends while it can still be paid').not.toBe('open');
        this.go(decision.closing.status);
        break;
      case 'wait':
        break;
    }
  }

  answer(): void {
    const { paymentIntentId, payment } = this.session;
    const charge = payment === 'paid' && paymentIntentId !== null ? this.read(paymentIntentId) : undefined;
    const session = charge === undefined ? this.session : { ...this.session, charge };
    this.receive({ kind: 'session', session });
  }

  settle(event: StripeEvent): void {
    const paymentIntentId = paymentToLookAt(this.order, event);
    const charge = paymentIntentId === undefined ? undefined : this.charges.get(paymentIntentId);
    if (charge === undefined) return;
    const { notes, action } = decideAftercare({ ...this.order, refundIsRequested: false }, event, charge);
    for (const { source } of notes) this.notes.add(source);
    if (action.do === 'return') this.refund(charge.paymentIntentId);
    if (action.do === 'refunded') this.go('REFUNDED');
  }

  giveBack(): void {
    this.refund(this.paidWith ?? '');
    this.go('REFUNDED');
  }

  deliver(possible: boolean): void {
    if (this.status !== 'PAID') return;
    const charge = this.read(this.paidWith ?? '');
    if (wayBackOf(charge) !== undefined) return this.go('REFUNDED');
    if (doubtsAbout(charge).some((doubt) => doubt !== 'part_refunded')) return;
    if (!possible) return this.giveBack();
    this.shipped = true;
    expect(keptOf(charge), 'goods leave for money that is here').toBeGreaterThan(0);
    this.go('FINISHED');
  }
}

type AwaitedOrder = ReturnType<typeof awaitPayment>;

const cancel: PaymentNews = { kind: 'cancel', request: { reason: 'cancelled' } };
const dispute = (status: string, amountMinor: number) => [
  { disputeId: 'du_1', status, reason: 'fraudulent', amountMinor },
];

const happenings = {
  pay: (model: Model) =>
    model.atSession({ status: 'complete', payment: 'paid', paymentIntentId: 'pi_1' }, model.session.status === 'open'),
  payWrongAmount: (model: Model) =>
    model.atSession(
      { status: 'complete', payment: 'paid', paymentIntentId: 'pi_1', amountMinor: 1 },
      model.session.status === 'open',
    ),
  payByBank: (model: Model) =>
    model.atSession(
      { status: 'complete', payment: 'unpaid', paymentIntentId: 'pi_1' },
      model.session.status === 'open',
    ),
  bankPays: (model: Model) => model.atSession({ payment: 'paid' }, isProcessing(model)),
  bankRefuses: (model: Model) => model.atSession({ payment: 'failed' }, isProcessing(model)),
  decline: (model: Model) =>
    model.emit('payment_intent.payment_failed', { about: 'decline', code: 'x', delayed: false }, 'pi_1'),
  cancel: (model: Model) => model.receive(cancel),
  windowEnd: (model: Model) => model.receive({ kind: 'windowEnded' }),
  check: (model: Model) => model.receive({ kind: 'checkDue' }),
  comeBack: (model: Model) => model.receive({ kind: 'customerReturned' }),
  ship: (model: Model) => model.deliver(true),
  cannotShip: (model: Model) => model.deliver(false),
  operatorRefunds: (model: Model) => {
    if (model.status === 'FINISHED') model.giveBack();
  },
  otherSessionIsPaid: (model: Model) => {
    const session = {
      ...model.session,
      sessionId: 'cs_2',
      status: 'complete',
      payment: 'paid',
      paymentIntentId: 'pi_2',
    };
    if (!model.charges.has('pi_2')) model.charge('pi_2', PRICE, 'USD', ORDER_ID);
    model.emit('checkout.session.completed', { about: 'session', session }, 'pi_2');
  },
  /** A Payment Link's session of another sale, with our order id typed into its address: no metadata of ours. */
  otherSaleNamesUs: (model: Model) => {
    const session = {
      ...model.session,
      sessionId: 'cs_3',
      status: 'complete',
      payment: 'paid',
      paymentIntentId: 'pi_3',
    };
    if (!model.charges.has('pi_3')) model.charge('pi_3', 1, 'USD', null);
    model.emit('checkout.session.completed', { about: 'session', session: { ...session, orderId: null } }, 'pi_3');
  },
  dashboardRefundsAll: (model: Model) =>
    model.toCharge('charge.refunded', (charge) => ({ ...charge, refundedMinor: charge.amountMinor })),
  dashboardRefundsPart: (model: Model) =>
    model.toCharge('charge.refunded', (charge) => ({
      ...charge,
      refundedMinor: Math.min(charge.amountMinor, charge.refundedMinor + 100),
    })),
  disputeOpens: (model: Model) =>
    model.toCharge('charge.dispute.created', (charge) => ({
      ...charge,
      disputes: charge.disputes.length > 0 ? charge.disputes : dispute('needs_response', charge.amountMinor),
    })),
  disputeIsWon: (model: Model) => model.toCharge('charge.dispute.closed', (charge) => decided(charge, 'won')),
  disputeIsLost: (model: Model) => model.toCharge('charge.dispute.closed', (charge) => decided(charge, 'lost')),
  reviewOpens: (model: Model) =>
    model.toCharge('review.opened', (charge) => ({
      ...charge,
      review: { reviewId: 'prv_1', open: true, reason: 'rule' },
    })),
  reviewCloses: (model: Model) => model.toCharge('review.closed', closeReview),
} as const satisfies Record<string, (model: Model) => void>;

function isProcessing({ session }: Model): boolean {
  return session.status === 'complete' && session.payment === 'unpaid';
}

/** The bank decides once. */
function decided(charge: Charge, status: string): Charge {
  const disputes = charge.disputes.map((open) => (open.status === 'needs_response' ? { ...open, status } : open));
  return { ...charge, disputes };
}

function closeReview(charge: Charge): Charge {
  return charge.review === null ? charge : { ...charge, review: { ...charge.review, open: false, reason: 'approved' } };
}

type Happening = keyof typeof happenings | { readonly deliver: number };

function happen(model: Model, what: Happening): void {
  if (typeof what === 'string') return happenings[what](model);
  const event = model.events[what.deliver % Math.max(model.events.length, 1)];
  if (event !== undefined) model.receive({ kind: 'stripeEvent', event });
}

const happening = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...(Object.keys(happenings) as (keyof typeof happenings)[])) },
  { weight: 1, arbitrary: fc.record({ deliver: fc.nat(8) }) },
);

test('the decisions alone: every sequence is a legal path, and the money is where the status says', () => {
  const ends = new Set<OrderStatus>();
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 20 }), (whats) => {
      const model = new Model();
      for (const what of whats) happen(model, what);
      // Time passes: the bank decides, every event arrives, the window ends, people look, the goods are shipped.
      for (const what of ['bankPays', 'windowEnd', 'check'] as const) happen(model, what);
      for (const [id, charge] of model.charges) model.charges.set(id, closeReview(decided(charge, 'won')));
      happen(model, 'ship');
      model.events.forEach((_, deliver) => happen(model, { deliver }));

      expect(isTerminal(model.status), `ended: ${model.path.join(' → ')}`).toBe(true);
      const kept = [...model.charges.values()].filter((charge) => charge.orderId === ORDER_ID && keptOf(charge) > 0);
      expect(kept, `kept in ${model.status}`).toHaveLength(model.status === 'FINISHED' ? 1 : 0);
      ends.add(model.status);
    }),
    { numRuns: 10_000 },
  );
  expect([...ends].toSorted(), 'every end is reached').toEqual(['CANCELLED', 'EXPIRED', 'FINISHED', 'REFUNDED']);
});

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { decideAftercare } from './aftercare.ts';
import { canTransition, isTerminal, type OrderStatus } from './order-status.ts';
import {
  type AwaitedPayment,
  awaitPayment,
  type CheckoutSession,
  type Closing,
  decidePayment,
  type PaymentMessage,
  type PaymentStep,
} from './payment.ts';

/*
 * An order made of the pure decisions alone, beside a Stripe of a few lines: thousands of sequences, no server. What the
 * workflow adds to it (waiting, retries, crashes) is tried by tests/order-model.test.ts.
 */

const PRICE = 4500;
const ORDER_ID = 'a'.repeat(24);

class Model {
  status: OrderStatus = 'PENDING';
  readonly path: OrderStatus[] = ['PENDING'];
  /** What Stripe holds. */
  session: CheckoutSession;
  readonly events: CheckoutSession[] = [];
  readonly charged: string[] = [];
  readonly refunded: string[] = [];
  payment: AwaitedPayment;
  paidWith: string | null = null;
  shipped = false;

  constructor() {
    const expected = { orderId: ORDER_ID, sessionId: 'cs_1', amountMinor: PRICE, currency: 'USD', livemode: false };
    this.payment = awaitPayment(expected);
    this.session = { ...expected, status: 'open', payment: 'unpaid', paymentIntentId: null };
    this.go('WAITING_FOR_PAYMENT');
  }

  go(to: OrderStatus): void {
    expect(canTransition(this.status, to), `${this.status} → ${to}`).toBe(true);
    this.status = to;
    this.path.push(to);
  }

  /** The customer's side of Stripe. Only an open session can be paid. */
  atStripe(change: Partial<CheckoutSession>, when: boolean): void {
    if (!when) return;
    this.session = { ...this.session, ...change };
    if (change.payment === 'paid') this.charged.push(this.session.paymentIntentId ?? '');
    this.events.push(this.session);
  }

  refund(paymentIntentId: string): void {
    expect(this.refunded, 'nothing is given back twice').not.toContain(paymentIntentId);
    expect(this.charged, 'nothing is given back that was not paid').toContain(paymentIntentId);
    this.refunded.push(paymentIntentId);
  }

  receive(message: PaymentMessage): void {
    if (this.status !== 'WAITING_FOR_PAYMENT') {
      if (message.kind === 'session') this.settleLate(message.session);
      return;
    }
    const { state, step } = decidePayment(this.payment, message);
    this.payment = state;
    this.carryOut(step, state.closing);
  }

  settleLate(session: CheckoutSession): void {
    const order = { orderId: ORDER_ID, status: this.status, paymentIntentId: this.paidWith };
    const step = decideAftercare(order, { kind: 'session', session });
    if (step.do === 'refund' && !this.refunded.includes(step.paymentIntentId)) this.refund(step.paymentIntentId);
  }

  carryOut(step: PaymentStep, closing: Closing | undefined): void {
    switch (step.do) {
      case 'closeSession':
        this.atStripe({ status: 'expired' }, this.session.status === 'open');
        this.receive({ kind: 'session', session: this.session });
        break;
      case 'readSession':
        this.receive({ kind: 'session', session: this.session });
        break;
      case 'accept':
        expect(this.session.amountMinor, 'only the right amount is accepted').toBe(PRICE);
        this.paidWith = step.paymentIntentId;
        this.go('PAID');
        if (closing?.status === 'CANCELLED') this.giveBack();
        break;
      case 'refuse':
        this.refund(step.paymentIntentId);
        this.go('CANCELLED');
        break;
      case 'end':
        expect(this.session.status, 'nothing ends while it can still be paid').not.toBe('open');
        this.go(step.closing.status);
        break;
      case 'wait':
        break;
    }
  }

  giveBack(): void {
    this.refund(this.paidWith ?? '');
    this.go('REFUNDED');
  }

  fulfill(possible: boolean): void {
    if (this.status !== 'PAID') return;
    if (possible) {
      this.shipped = true;
      this.go('FINISHED');
    } else this.giveBack();
  }
}

const closings: Record<'cancel' | 'windowEnd', Closing> = {
  cancel: { status: 'CANCELLED', detail: 'cancelled' },
  windowEnd: { status: 'EXPIRED', detail: 'too late' },
};

type Happening =
  | 'pay'
  | 'payWrongAmount'
  | 'payByBank'
  | 'bankPays'
  | 'bankRefuses'
  | 'decline'
  | 'cancel'
  | 'windowEnd'
  | 'check'
  | 'ship'
  | 'cannotShip'
  | 'operatorRefunds'
  | 'foreignSession'
  | { readonly deliver: number };

function happen(model: Model, what: Happening): void {
  const { session, events } = model;
  const isOpen = session.status === 'open';
  const isProcessing = session.status === 'complete' && session.payment === 'unpaid';
  if (typeof what === 'object') {
    const event = events[what.deliver % Math.max(events.length, 1)];
    if (event !== undefined) model.receive({ kind: 'session', session: event });
    return;
  }
  switch (what) {
    case 'pay':
      return model.atStripe({ status: 'complete', payment: 'paid', paymentIntentId: 'pi_1' }, isOpen);
    case 'payWrongAmount':
      return model.atStripe({ status: 'complete', payment: 'paid', paymentIntentId: 'pi_1', amountMinor: 1 }, isOpen);
    case 'payByBank':
      return model.atStripe({ status: 'complete', payment: 'unpaid', paymentIntentId: 'pi_1' }, isOpen);
    case 'bankPays':
      return model.atStripe({ payment: 'paid' }, isProcessing);
    case 'bankRefuses':
      return model.atStripe({ payment: 'failed' }, isProcessing);
    case 'decline':
      return model.receive({ kind: 'declined', code: 'insufficient_funds' });
    case 'cancel':
    case 'windowEnd':
      return model.receive({ kind: 'close', closing: closings[what] });
    case 'check':
      return model.receive({ kind: 'checkDue' });
    case 'foreignSession':
      return model.receive({ kind: 'session', session: { ...session, sessionId: 'cs_2', orderId: 'b'.repeat(24) } });
    case 'ship':
    case 'cannotShip':
      return model.fulfill(what === 'ship');
    case 'operatorRefunds':
      return model.status === 'FINISHED' ? model.giveBack() : undefined;
  }
}

const happening = fc.oneof(
  fc.constantFrom<Happening>(
    'pay',
    'payWrongAmount',
    'payByBank',
    'bankPays',
    'bankRefuses',
    'decline',
    'cancel',
    'windowEnd',
    'check',
    'ship',
    'cannotShip',
    'operatorRefunds',
    'foreignSession',
  ),
  fc.record({ deliver: fc.nat(5) }),
);

test('the decisions alone: every sequence is a legal path, and the money is where the status says', () => {
  const ends = new Set<OrderStatus>();
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 20 }), (happenings) => {
      const model = new Model();
      for (const what of happenings) happen(model, what);
      // Time passes: the bank decides, every event arrives, the window ends, the goods are shipped.
      for (const what of ['bankPays', 'windowEnd', 'check', 'ship'] as const) happen(model, what);
      model.events.forEach((_, deliver) => happen(model, { deliver }));

      expect(isTerminal(model.status), `ended: ${model.path.join(' → ')}`).toBe(true);
      const kept = model.charged.filter((paymentIntentId) => !model.refunded.includes(paymentIntentId));
      expect(kept, `kept in ${model.status}`).toHaveLength(model.status === 'FINISHED' ? 1 : 0);
      ends.add(model.status);
    }),
    { numRuns: 5_000 },
  );
  expect([...ends].sort(), 'every end is reached').toEqual(['CANCELLED', 'EXPIRED', 'FINISHED', 'REFUNDED']);
});

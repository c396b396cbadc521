import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { readCardForm } from './cards.ts';
import * as dashboard from './dashboard.ts';
import * as disputes from './disputes.ts';
import { StripeApiError } from './errors.ts';
import { NO_REQUEST, type Account } from './events.ts';
import { listSessions, readLedger } from './ledger.ts';
import { sellByPaymentLink } from './payment-links.ts';
import type { Method } from './payment-objects.ts';
import * as radar from './radar.ts';
import { failRefund, settleRefund } from './refunds.ts';
import { seedBody, seedCharges } from './seed.ts';
import * as sessionPayments from './session-payments.ts';
import * as sessions from './sessions.ts';

const payBody = z.strictObject({
  method: z.enum(['card', 'bank_debit']).default('card'),
  card: z.string().default('4242424242424242'),
  /** What the customer does if the card asks for 3-D Secure; left out, the payment waits for it. */
  threeDSecure: z.enum(['pass', 'fail']).optional(),
});
const orderQuery = z.strictObject({ orderId: z.string().optional() });
const amountMinor = z.int().min(1);
const payLinkSaleBody = z.strictObject({ clientReferenceId: z.string(), amountMinor, currency: z.string().length(3) });
const dashboardRefundBody = z.strictObject({
  paymentIntent: z.string(),
  amountMinor: amountMinor.optional(),
  reason: z.enum(['duplicate', 'fraudulent', 'requested_by_customer']).optional(),
  pending: z.boolean().default(false),
});
const disputeBody = z.strictObject({
  charge: z.string(),
  reason: z.string().default('fraudulent'),
  amountMinor: amountMinor.optional(),
  inquiry: z.boolean().default(false),
});

export const idOf = (request: FastifyRequest) => z.object({ id: z.string() }).parse(request.params).id;

/** Writes the state, then begins to deliver its events; the answer comes after it. */
export function saved<T extends object>(account: Account, result: T): T {
  account.save();
  return result;
}

/** What customers and time do, and what came of it. */
export function registerPayments(app: FastifyInstance, account: Account): void {
  app.get('/sandbox/ledger', async (request) => readLedger(account, orderQuery.parse(request.query).orderId));
  app.get('/sandbox/sessions', async (request) => ({
    sessions: listSessions(account, orderQuery.parse(request.query).orderId),
  }));
  app.post('/sandbox/sessions/:id/pay', async (request) => {
    const body = payBody.parse(request.body ?? {});
    const id = idOf(request);
    let attempt = sessionPayments.paySession(account, id, methodOf(body, new Date(account.now())));
    if (attempt.outcome === 'requires_action' && body.threeDSecure !== undefined) {
      attempt = sessionPayments.authenticateSession(account, id, body.threeDSecure === 'pass');
    }
    account.save();
    return { ...attempt, paymentIntentId: sessions.sessionRecord(account, id).session.payment_intent };
  });
  app.post('/sandbox/sessions/:id/authenticate', async (request) => {
    const { result } = z.strictObject({ result: z.enum(['pass', 'fail']) }).parse(request.body);
    return saved(account, sessionPayments.authenticateSession(account, idOf(request), result === 'pass'));
  });
  app.post('/sandbox/sessions/:id/settle', async (request) => {
    const { result } = z.strictObject({ result: z.enum(['succeeded', 'failed']) }).parse(request.body);
    return saved(account, sessionPayments.settleSession(account, idOf(request), result));
  });
  // As when its 24 hours are over.
  app.post('/sandbox/sessions/:id/time-out', async (request) =>
    saved(account, { status: sessions.expireSession(account, idOf(request), NO_REQUEST).status }),
  );
  app.post('/sandbox/seed', async (request) => saved(account, seedCharges(account, seedBody.parse(request.body))));
  app.post('/sandbox/payment-link-sales', async (request) => {
    const session = sellByPaymentLink(account, payLinkSaleBody.parse(request.body));
    const paymentIntentId = typeof session.payment_intent === 'string' ? session.payment_intent : '';
    const charge = account.store.get('paymentIntents', paymentIntentId)?.paymentIntent.latest_charge;
    return saved(account, {
      sessionId: session.id,
      paymentIntentId,
      chargeId: typeof charge === 'string' ? charge : '',
    });
  });
}

/** What people do at Stripe's dashboard, and what banks do. */
export function registerDashboard(app: FastifyInstance, account: Account): void {
  app.post('/sandbox/refunds', async (request) => {
    const { paymentIntent, ...refund } = dashboardRefundBody.parse(request.body);
    const { id, status, amount } = dashboard.refundAtDashboard(account, paymentIntent, refund);
    return saved(account, { id, status, amountMinor: amount });
  });
  app.post('/sandbox/refunds/:id/settle', async (request) =>
    saved(account, { status: settleRefund(account, idOf(request)).status }),
  );
  app.post('/sandbox/refunds/:id/fail', async (request) => {
    const { reason } = z.strictObject({ reason: z.string().default('lost_or_stolen_card') }).parse(request.body ?? {});
    return saved(account, { status: failRefund(account, idOf(request), reason).status });
  });

  app.post('/sandbox/disputes', async (request) => {
    const { charge, reason, amountMinor, inquiry } = disputeBody.parse(request.body);
    const amount = amountMinor === undefined ? {} : { amount: amountMinor };
    return saved(account, { id: disputes.openDispute(account, charge, { reason, inquiry, ...amount }).id });
  });
  app.post('/sandbox/disputes/:id/evidence', async (request) =>
    saved(account, { status: disputes.submitEvidence(account, idOf(request)).status }),
  );
  app.post('/sandbox/disputes/:id/escalate', async (request) =>
    saved(account, { status: disputes.escalateInquiry(account, idOf(request)).status }),
  );
  app.post('/sandbox/disputes/:id/close', async (request) => {
    const { status } = z.strictObject({ status: z.enum(['won', 'lost', 'warning_closed']) }).parse(request.body);
    return saved(account, { status: disputes.closeDispute(account, idOf(request), status).status });
  });

  app.post('/sandbox/reviews', async (request) => {
    const body = z.strictObject({ charge: z.string(), reason: z.enum(['manual', 'rule']).default('manual') });
    const { charge, reason } = body.parse(request.body);
    return saved(account, { id: radar.openReview(account, charge, reason).id });
  });
  app.post('/sandbox/reviews/:id/close', async (request) => {
    const reasons = z.enum(['approved', 'refunded', 'refunded_as_fraud', 'disputed']);
    const { reason } = z.strictObject({ reason: reasons }).parse(request.body);
    const { closed_reason } = dashboard.closeReviewAtDashboard(account, idOf(request), reason);
    return saved(account, { closedReason: closed_reason });
  });
  app.post('/sandbox/fraud-warnings', async (request) => {
    const body = z.strictObject({ charge: z.string(), fraudType: z.string().default('misc') }).parse(request.body);
    return saved(account, { id: radar.openFraudWarning(account, body.charge, body.fraudType).id });
  });
}

function methodOf(body: z.output<typeof payBody>, today: Date): Method {
  if (body.method === 'bank_debit') return { type: 'us_bank_account', last4: '6789' };
  const number = body.card.replaceAll(' ', '');
  const cvc = /^3[47]/.test(number) ? '1234' : '123';
  const expiry = `12 / ${(today.getFullYear() + 3) % 100}`;
  const read = readCardForm({ number, expiry, cvc, name: 'Test Customer' }, today);
  if ('card' in read) return { type: 'card', card: read.card };
  throw new StripeApiError(400, { type: 'invalid_request_error', message: read.errors.number ?? 'Wrong card.' });
}

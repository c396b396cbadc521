import { emit, NO_REQUEST, seconds, type Account } from './events.ts';
import { buildPaymentIntent, type Method } from './payment-objects.ts';
import * as payments from './payments.ts';
import { changeSession, sessionRecord } from './sessions.ts';
import type { SessionRecord } from './store.ts';

export type SessionAttempt = payments.Attempt | { outcome: 'closed' };

/** The customer pays on the hosted page. `closed`: the session is complete or expired, and nothing happened. */
export function paySession(account: Account, id: string, method: Method): SessionAttempt {
  const record = sessionRecord(account, id);
  if (record.session.status !== 'open') return { outcome: 'closed' };
  const paymentIntentId = paymentIntentOf(account, record);
  const attempt = payments.attemptPayment(account, paymentIntentId, method, NO_REQUEST);
  completeIfPaid(account, id, attempt, method);
  if (attempt.outcome === 'succeeded') payments.afterPayment(account, paymentIntentId, method);
  return attempt;
}

/** The customer comes back from 3-D Secure. */
export function authenticateSession(account: Account, id: string, passed: boolean): SessionAttempt {
  const { session } = sessionRecord(account, id);
  if (session.status !== 'open' || typeof session.payment_intent !== 'string') return { outcome: 'closed' };
  const { card } = payments.paymentIntentRecord(account, session.payment_intent);
  const attempt = payments.endAuthentication(account, session.payment_intent, passed, NO_REQUEST);
  completeIfPaid(account, id, attempt, card === undefined ? undefined : { type: 'card', card });
  return attempt;
}

/** The payment intent is made when the customer first confirms, and stays the session's through every try. */
function paymentIntentOf(account: Account, { session, paymentIntentData }: SessionRecord): string {
  if (typeof session.payment_intent === 'string') return session.payment_intent;
  const paymentIntent = buildPaymentIntent({
    amount: session.amount_total ?? 0,
    currency: session.currency ?? '',
    description: paymentIntentData.description,
    metadata: paymentIntentData.metadata,
    paymentMethodTypes: session.payment_method_types,
    automaticPaymentMethods: null,
    created: seconds(account),
  });
  account.store.put('paymentIntents', paymentIntent.id, { paymentIntent, sessionId: session.id, returnUrl: null });
  changeSession(account, session.id, { payment_intent: paymentIntent.id });
  emit(account, 'payment_intent.created', paymentIntent, NO_REQUEST);
  return paymentIntent.id;
}

function completeIfPaid(account: Account, id: string, attempt: payments.Attempt, method: Method | undefined): void {
  if (attempt.outcome !== 'succeeded' && attempt.outcome !== 'processing') return;
  const { session } = sessionRecord(account, id);
  const complete = changeSession(account, id, {
    status: 'complete',
    payment_status: attempt.outcome === 'succeeded' ? 'paid' : 'unpaid',
    url: null,
    customer_details: {
      address: null,
      business_name: null,
      email: session.customer_email,
      individual_name: null,
      name: method?.type === 'card' ? method.card.nameOnCard : null,
      phone: null,
      tax_exempt: 'none',
      tax_ids: [],
    },
  });
  emit(account, 'checkout.session.completed', complete, NO_REQUEST);
}

/** A bank debit of the session ends. */
export function settleSession(account: Account, id: string, result: 'succeeded' | 'failed'): SessionAttempt {
  const { session } = sessionRecord(account, id);
  if (typeof session.payment_intent !== 'string') return { outcome: 'closed' };
  const attempt = payments.settleBankDebit(account, session.payment_intent, result, NO_REQUEST);
  if (attempt.outcome === 'succeeded') {
    const paid = changeSession(account, id, { payment_status: 'paid' });
    emit(account, 'checkout.session.async_payment_succeeded', paid, NO_REQUEST);
  } else {
    emit(account, 'checkout.session.async_payment_failed', session, NO_REQUEST);
  }
  return attempt;
}

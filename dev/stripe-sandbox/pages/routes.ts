import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readCardForm, type Decline } from '../cards.ts';
import { StripeApiError } from '../errors.ts';
import { NO_REQUEST, type Account } from '../events.ts';
import { parseForm } from '../params.ts';
import type { Method } from '../payment-objects.ts';
import { endAuthentication, paymentIntentRecord } from '../payments.ts';
import * as sessionPayments from '../session-payments.ts';
import * as sessions from '../sessions.ts';
import type { SessionRecord } from '../store.ts';
import { layout, messagePage } from './layout.ts';
import {
  BANK_ACCOUNT_FAILS,
  BANK_ACCOUNT_PAYS,
  EMPTY_PAY_FORM,
  payPage,
  type PayForm,
  type PayFormErrors,
} from './pay-page.ts';
import { STYLE } from './style.ts';
import { threeDSecurePage } from './three-d-secure-page.ts';

/** How long the bank takes for a debit from the hosted page, in ms; days at Stripe. */
const BANK_DEBIT_MS = 30_000;

/** Declines in a customer's words. What is not here is said as any bank's "no": a stolen card is not told so. */
const WORDS: Readonly<Record<string, string>> = {
  insufficient_funds: 'There is not enough money on this card. Nothing was charged. Try another card.',
  expired_card: 'This card has expired. Nothing was charged. Try another card.',
  incorrect_cvc: 'The security code (CVC) is wrong. Nothing was charged. Check it and try again.',
  processing_error: 'The card could not be processed just now. Nothing was charged. Try again in a moment.',
  test_mode_live_card: 'This sandbox takes test cards only. Nothing was charged.',
  payment_intent_authentication_failure:
    'Your bank did not confirm the payment. Nothing was charged. Try again, or use another card.',
};
const DECLINED = 'Your card was declined. Nothing was charged. Try another card, or ask your bank.';

/** The pages that customers see: /c/pay and /c/3ds. */
export function registerPages(app: FastifyInstance, account: Account): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: 16_384 },
    (_request, body, done) => {
      done(null, body);
    },
  );
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof StripeApiError && error.status === 404) {
      return page(
        reply,
        404,
        messagePage('There is no such payment page', 'Check the link, or begin again in the shop.'),
      );
    }
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    if (status >= 500) request.log.error({ err: error }, 'the sandbox failed at a page');
    return page(
      reply,
      status,
      messagePage(
        'That did not work',
        'The payment page could not do this just now. Look at your order before you try again.',
      ),
    );
  });
  app.get('/c/style.css', async (_request, reply) =>
    reply.type('text/css; charset=utf-8').header('cache-control', 'max-age=300').send(STYLE),
  );
  app.get('/c/pay/:id', async (request, reply) => showPayPage(account, request, reply));
  app.post('/c/pay/:id', async (request, reply) => pay(account, request, reply));
  app.get('/c/3ds/:id', async (request, reply) => {
    const { paymentIntent, sessionId } = paymentIntentRecord(account, idOf(request));
    const session = sessionId === null ? undefined : sessions.sessionRecord(account, sessionId);
    if (session !== undefined && session.session.status !== 'open') return closedPage(account, reply, session);
    if (paymentIntent.status !== 'requires_action') {
      return page(reply, 409, messagePage('There is nothing to confirm', 'This payment waits for no confirmation.'));
    }
    const targets = [session?.session.success_url, paymentIntent.next_action?.redirect_to_url?.return_url];
    return page(reply, 200, threeDSecurePage(paymentIntent.id, paymentIntent.amount, paymentIntent.currency), targets);
  });
  app.post('/c/3ds/:id', async (request, reply) => authenticate(account, request, reply));
}

const idOf = (request: FastifyRequest) => (request.params as { id: string }).id;

/**
 * Sends a page that no other page may frame, no cache may keep, and that runs no script.
 *
 * @param targets where its form's answer may redirect to: browsers apply `form-action` to the redirect too
 */
function page(reply: FastifyReply, status: number, body: string, targets: readonly (string | null | undefined)[] = []) {
  const origins = targets.flatMap((target) =>
    typeof target === 'string' && URL.canParse(target) ? [new URL(target).origin] : [],
  );
  return reply
    .status(status)
    .type('text/html; charset=utf-8')
    .header('cache-control', 'no-store')
    .header(
      'content-security-policy',
      `default-src 'none'; style-src 'self'; img-src data:; form-action ${["'self'", ...new Set(origins)].join(' ')}; base-uri 'none'; frame-ancestors 'none'`,
    )
    .header('referrer-policy', 'no-referrer')
    .header('x-content-type-options', 'nosniff')
    .send(body);
}

function showPayPage(account: Account, request: FastifyRequest, reply: FastifyReply) {
  const record = sessions.sessionRecord(account, idOf(request));
  account.save();
  if (record.session.status !== 'open') return closedPage(account, reply, record);
  const { payment_intent: paymentIntentId } = record.session;
  const failed = 'retry' in parseForm(request.url.split('?')[1] ?? '') && typeof paymentIntentId === 'string';
  const error = failed ? paymentIntentRecord(account, paymentIntentId).paymentIntent.last_payment_error : null;
  const alert = error === null ? undefined : (WORDS[error.decline_code ?? error.code ?? ''] ?? DECLINED);
  return formPage(reply, 200, record, EMPTY_PAY_FORM, {}, alert);
}

function formPage(
  reply: FastifyReply,
  status: number,
  record: SessionRecord,
  form: PayForm,
  errors: PayFormErrors,
  alert?: string,
) {
  // The CVC is not shown again: it is the one thing that a page must never keep.
  return page(reply, status, payPage(record, { ...form, cvc: '' }, errors, alert), [record.session.success_url]);
}

function pay(account: Account, request: FastifyRequest, reply: FastifyReply) {
  const id = idOf(request);
  const record = sessions.sessionRecord(account, id);
  if (record.session.status !== 'open') return closedPage(account, reply, record);
  const form = readForm(request, sessions.takesBankDebit(record.session.currency));
  const read = readMethod(form, account.now());
  if ('errors' in read) {
    return formPage(reply, 422, record, form, read.errors, 'Nothing was charged. Please correct the marked fields.');
  }
  const attempt = sessionPayments.paySession(account, id, read.method);
  const after = sessions.sessionRecord(account, id);
  account.save();
  if (attempt.outcome === 'declined') return declinedPage(reply, after, form, attempt.decline);
  if (attempt.outcome === 'closed') return closedPage(account, reply, after);
  if (attempt.outcome === 'requires_action' && typeof after.session.payment_intent === 'string') {
    return reply.redirect(`/c/3ds/${after.session.payment_intent}`, 303);
  }
  return toShop(reply, after);
}

function declinedPage(reply: FastifyReply, record: SessionRecord, form: PayForm, decline: Decline) {
  const reason = decline.decline_code ?? decline.code ?? '';
  const errors: PayFormErrors = {};
  if (reason === 'incorrect_cvc') errors.cvc = 'Check the security code.';
  if (reason === 'expired_card') errors.expiry = 'This card has expired.';
  return formPage(reply, 402, record, form, errors, WORDS[reason] ?? DECLINED);
}

function authenticate(account: Account, request: FastifyRequest, reply: FastifyReply) {
  const { paymentIntent, sessionId } = paymentIntentRecord(account, idOf(request));
  const passed = readField(request, 'result') === 'pass';
  if (sessionId === null) {
    const returnUrl = paymentIntent.next_action?.redirect_to_url?.return_url;
    if (paymentIntent.status === 'requires_action') endAuthentication(account, paymentIntent.id, passed, NO_REQUEST);
    account.save();
    if (typeof returnUrl === 'string') return reply.redirect(returnUrl, 303);
    return page(reply, 200, messagePage('Done', 'You can close this page.'));
  }
  const before = sessions.sessionRecord(account, sessionId);
  if (before.session.status !== 'open') return closedPage(account, reply, before);
  if (paymentIntent.status !== 'requires_action') return reply.redirect(`/c/pay/${sessionId}`, 303);
  const attempt = sessionPayments.authenticateSession(account, sessionId, passed);
  account.save();
  if (attempt.outcome === 'declined') return reply.redirect(`/c/pay/${sessionId}?retry=1`, 303);
  return toShop(reply, sessions.sessionRecord(account, sessionId));
}

function toShop(reply: FastifyReply, { session }: SessionRecord) {
  const url = successUrl(session);
  if (url === undefined) return page(reply, 200, layout('Thank you', ''));
  return reply.header('cache-control', 'no-store').redirect(url, 303);
}

function successUrl(session: SessionRecord['session']): string | undefined {
  return session.success_url?.replaceAll('{CHECKOUT_SESSION_ID}', session.id);
}

function closedPage(account: Account, reply: FastifyReply, { session }: SessionRecord) {
  if (session.status === 'expired') {
    const message = 'It can no longer be used, and nothing was charged. Go back to the shop to order again.';
    const link = session.cancel_url === null ? undefined : { href: session.cancel_url, text: 'Back to the shop' };
    return page(reply, 410, messagePage('This payment page has expired', message, link));
  }
  const url = successUrl(session);
  const link = url === undefined ? undefined : { href: url, text: 'See your order' };
  if (session.payment_status === 'paid') {
    return page(
      reply,
      200,
      messagePage('This order is paid', 'You were charged once. There is nothing more to do here.', link),
    );
  }
  const { payment_intent: id } = session;
  if (typeof id === 'string' && paymentIntentRecord(account, id).paymentIntent.status !== 'processing') {
    return page(
      reply,
      200,
      messagePage('The bank refused the debit', 'Nothing was charged. Your order says how it goes on.', link),
    );
  }
  const message = 'The bank takes a while for it. You will see the result with your order; do not pay again.';
  return page(reply, 200, messagePage('Your bank debit is under way', message, link));
}

function readField(request: FastifyRequest, name: string): string {
  const value = parseForm(typeof request.body === 'string' ? request.body : '')[name];
  return typeof value === 'string' ? value : '';
}

function readForm(request: FastifyRequest, bankDebit: boolean): PayForm {
  const text = (name: keyof PayForm) => readField(request, name).slice(0, 200);
  return {
    method: bankDebit && text('method') === 'bank' ? 'bank' : 'card',
    number: text('number'),
    expiry: text('expiry'),
    cvc: text('cvc').trim(),
    name: text('name'),
    bankAccount: text('bankAccount').trim(),
  };
}

function readMethod(form: PayForm, nowMs: number): { method: Method } | { errors: PayFormErrors } {
  if (form.method === 'card') {
    const read = readCardForm(form, new Date(nowMs));
    return 'errors' in read ? read : { method: { type: 'card', card: read.card } };
  }
  if (form.bankAccount !== BANK_ACCOUNT_PAYS && form.bankAccount !== BANK_ACCOUNT_FAILS) {
    return {
      errors: { bankAccount: `The sandbox knows two accounts: ${BANK_ACCOUNT_PAYS} and ${BANK_ACCOUNT_FAILS}.` },
    };
  }
  const result = form.bankAccount === BANK_ACCOUNT_PAYS ? 'succeeded' : 'failed';
  return {
    method: {
      type: 'us_bank_account',
      last4: form.bankAccount.slice(-4),
      settles: { atMs: nowMs + BANK_DEBIT_MS, result },
    },
  };
}

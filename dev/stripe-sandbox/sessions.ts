import { Stripe } from 'stripe';
import { z } from 'zod';
import { invalidRequest, notChargeable, refused, resourceMissing } from './errors.ts';
import { emit, NO_REQUEST, seconds, type Account, type Cause } from './events.ts';
import { newId } from './ids.ts';
import { formatAmount, MAXIMUM_AMOUNT, minimumAmount, whyNotChargeable } from './money.ts';
import * as params from './params.ts';
import { cancelPaymentIntent } from './payments.ts';
import type { Line, SessionRecord } from './store.ts';

const DAY_SECONDS = 24 * 3600;

export const sessionCreateParams = z.strictObject({
  mode: z.string().refine((mode) => mode === 'payment', 'the sandbox knows the mode `payment` alone'),
  ui_mode: z
    .string()
    .refine((mode) => mode === 'hosted_page', 'the sandbox knows the ui_mode `hosted_page` alone')
    .optional(),
  line_items: z
    .array(
      z.strictObject({
        price_data: z.strictObject({
          currency: params.currency,
          unit_amount: params.integer.refine((amount) => amount >= 0, 'must be at least 0'),
          product_data: z.strictObject({ name: params.nonEmpty(250) }),
        }),
        quantity: params.integer.refine((quantity) => quantity >= 1, 'must be at least 1'),
      }),
    )
    .min(1)
    .max(100, 'a session can have at most 100 line items'),
  client_reference_id: params.nonEmpty(200).optional(),
  customer_email: params.nonEmpty(512).optional(),
  metadata: params.metadata.default({}),
  payment_intent_data: z
    .strictObject({ metadata: params.metadata.default({}), description: params.nonEmpty(1000).optional() })
    .optional(),
  success_url: params.url,
  cancel_url: params.url.optional(),
  expires_at: params.integer.optional(),
});

export const sessionUpdateParams = z.strictObject({ metadata: params.metadata.default({}) });

/** @throws StripeApiError 404; a session whose time is over expires before it is given */
export function sessionRecord(account: Account, id: string): SessionRecord {
  const record = account.store.get('sessions', id);
  if (record === undefined) throw resourceMissing('checkout.session', id, 'session');
  if (record.session.status === 'open' && record.session.expires_at <= seconds(account)) {
    return { ...record, session: closeSession(account, record.session, NO_REQUEST) };
  }
  return record;
}

/** @param paymentLink the Payment Link that a customer followed, for a session that no request of the shop's made */
export function createSession(
  account: Account,
  input: z.output<typeof sessionCreateParams>,
  paymentLink: string | null = null,
): Stripe.Checkout.Session {
  const created = seconds(account);
  const expiresAt = input.expires_at ?? created + DAY_SECONDS;
  if (expiresAt > created + DAY_SECONDS) {
    throw invalidRequest(
      'The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.',
      'expires_at',
    );
  }
  if (expiresAt < created + 30 * 60) {
    throw invalidRequest(
      'The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.',
      'expires_at',
    );
  }
  const { currency, lines, total } = readLines(input.line_items);
  const id = newId('cs_test', 58);
  const session = {
    id,
    object: 'checkout.session',
    adaptive_pricing: { enabled: false },
    after_expiration: null,
    allow_promotion_codes: null,
    allowed_payment_method_types: null,
    amount_subtotal: total,
    amount_total: total,
    automatic_tax: { enabled: false, liability: null, provider: null, status: null },
    billing_address_collection: null,
    cancel_url: input.cancel_url ?? null,
    client_reference_id: input.client_reference_id ?? null,
    client_secret: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    created,
    currency,
    currency_conversion: null,
    custom_fields: [],
    custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
    customer: null,
    customer_account: null,
    customer_creation: 'if_required',
    customer_details: null,
    customer_email: input.customer_email ?? null,
    discounts: [],
    expires_at: expiresAt,
    integration_identifier: null,
    invoice: null,
    invoice_creation: {
      enabled: false,
      invoice_data: {
        account_tax_ids: null,
        custom_fields: null,
        description: null,
        footer: null,
        issuer: null,
        metadata: {},
        rendering_options: null,
      },
    },
    livemode: false,
    locale: null,
    managed_payments: null,
    metadata: params.mergeMetadata({}, input.metadata),
    mode: 'payment',
    origin_context: null,
    payment_intent: null,
    payment_link: paymentLink,
    payment_method_collection: 'if_required',
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: takesBankDebit(currency) ? ['card', 'us_bank_account'] : ['card'],
    payment_status: 'unpaid',
    permissions: null,
    phone_number_collection: { enabled: false },
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: null,
    shipping_address_collection: null,
    shipping_cost: null,
    shipping_options: [],
    status: 'open',
    submit_type: null,
    subscription: null,
    success_url: input.success_url,
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    ui_mode: 'hosted_page',
    url: `${account.publicUrl()}/c/pay/${id}`,
    wallet_options: null,
  } satisfies Stripe.Checkout.Session;
  account.store.put('sessions', id, {
    session,
    lines,
    paymentIntentData: {
      metadata: params.mergeMetadata({}, input.payment_intent_data?.metadata ?? {}),
      description: input.payment_intent_data?.description ?? null,
    },
  });
  return session;
}

/** Bank debits are `us_bank_account`, which knows US dollars alone. */
export function takesBankDebit(currency: string | null): boolean {
  return currency === 'usd';
}

function readLines(items: z.output<typeof sessionCreateParams>['line_items']) {
  const currency = items[0]?.price_data.currency ?? '';
  const other = items.findIndex((item) => item.price_data.currency !== currency);
  if (other !== -1) {
    throw invalidRequest(
      `All line items must have the same currency: line_items[0] is in ${currency}, line_items[${other}] is not.`,
      `line_items[${other}][price_data][currency]`,
    );
  }
  items.forEach(({ price_data: { unit_amount: amount } }, index) => {
    const why = whyNotChargeable(amount, currency);
    if (why !== undefined) throw notChargeable(why, `line_items[${index}][price_data][unit_amount]`);
  });
  const lines = items.map((item) => ({
    id: newId('li'),
    priceId: newId('price'),
    productId: newId('prod', 14),
    name: item.price_data.product_data.name,
    unitAmount: item.price_data.unit_amount,
    quantity: item.quantity,
  }));
  const total = lines.reduce((sum, line) => sum + line.unitAmount * line.quantity, 0);
  if (total < minimumAmount(currency)) {
    const least = formatAmount(minimumAmount(currency), currency);
    throw invalidRequest(
      `The Checkout Session's total amount due must add up to at least ${least} ${currency}`,
      undefined,
      'amount_too_small',
    );
  }
  if (total > MAXIMUM_AMOUNT) {
    const most = formatAmount(MAXIMUM_AMOUNT, currency);
    throw invalidRequest(
      `The Checkout Session's total amount due must be no more than ${most}.`,
      undefined,
      'amount_too_large',
    );
  }
  return { currency, lines, total };
}

/** Stripe's form of a session's line. */
export function buildLineItem(line: Line, { session }: SessionRecord): Stripe.LineItem {
  const amount = line.unitAmount * line.quantity;
  const currency = session.currency ?? '';
  return {
    id: line.id,
    object: 'item',
    adjustable_quantity: null,
    amount_discount: 0,
    amount_subtotal: amount,
    amount_tax: 0,
    amount_total: amount,
    currency,
    description: line.name,
    metadata: {},
    price: {
      id: line.priceId,
      object: 'price',
      active: false,
      billing_scheme: 'per_unit',
      created: session.created,
      currency,
      custom_unit_amount: null,
      livemode: false,
      lookup_key: null,
      metadata: {},
      nickname: null,
      product: line.productId,
      recurring: null,
      tax_behavior: 'unspecified',
      tiers_mode: null,
      transform_quantity: null,
      type: 'one_time',
      unit_amount: line.unitAmount,
      unit_amount_decimal: Stripe.Decimal.from(line.unitAmount),
    },
    quantity: line.quantity,
  } satisfies Stripe.LineItem;
}

/** Stores a session with its changes, and returns the new one. */
export function changeSession(
  account: Account,
  id: string,
  changes: Partial<Stripe.Checkout.Session>,
): Stripe.Checkout.Session {
  const before = sessionRecord(account, id);
  const session: Stripe.Checkout.Session = { ...before.session, ...changes };
  account.store.put('sessions', id, { ...before, session });
  return session;
}

export function updateSession(account: Account, id: string, input: z.output<typeof sessionUpdateParams>) {
  const { session } = sessionRecord(account, id);
  return changeSession(account, id, { metadata: params.mergeMetadata(session.metadata ?? {}, input.metadata) });
}

/** @throws StripeApiError 400 for a session that is complete or expired */
export function expireSession(account: Account, id: string, cause: Cause): Stripe.Checkout.Session {
  const { session } = sessionRecord(account, id);
  if (session.status !== 'open') {
    throw refused(
      `Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of \`${session.status}\`.`,
    );
  }
  return closeSession(account, session, cause);
}

function closeSession(account: Account, open: Stripe.Checkout.Session, cause: Cause): Stripe.Checkout.Session {
  const before = account.store.get('sessions', open.id);
  if (before === undefined) throw resourceMissing('checkout.session', open.id, 'session');
  const session: Stripe.Checkout.Session = { ...open, status: 'expired', url: null };
  account.store.put('sessions', open.id, { ...before, session });
  if (typeof session.payment_intent === 'string') {
    cancelPaymentIntent(account, session.payment_intent, 'expired', cause);
  }
  emit(account, 'checkout.session.expired', session, cause);
  return session;
}

/** Expires the sessions whose time is over. */
export function expireDueSessions(account: Account): void {
  for (const { session } of account.store.all('sessions')) {
    if (session.status === 'open' && session.expires_at <= seconds(account)) closeSession(account, session, NO_REQUEST);
  }
}

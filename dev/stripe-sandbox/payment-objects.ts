import type { Stripe } from 'stripe';
import type { CardOnFile, Decline } from './cards.ts';
import { newId } from './ids.ts';

/** How a customer pays. A bank debit is Stripe's `us_bank_account`: it takes days there, seconds or a word here. */
export type Method =
  | { type: 'card'; card: CardOnFile }
  | { type: 'us_bank_account'; last4: string; settles?: { atMs: number; result: 'succeeded' | 'failed' } };

export type NewPaymentIntent = {
  amount: number;
  currency: string;
  description: string | null;
  metadata: Record<string, string>;
  paymentMethodTypes: string[];
  automaticPaymentMethods: Stripe.PaymentIntent.AutomaticPaymentMethods | null;
  created: number;
};

export function buildPaymentIntent(from: NewPaymentIntent): Stripe.PaymentIntent {
  const id = newId('pi');
  return {
    id,
    object: 'payment_intent',
    allowed_payment_method_types: null,
    amount: from.amount,
    amount_capturable: 0,
    amount_details: { tip: {} },
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: from.automaticPaymentMethods,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: 'automatic_async',
    client_secret: newId(`${id}_secret`),
    confirmation_method: 'automatic',
    created: from.created,
    currency: from.currency,
    customer: null,
    customer_account: null,
    description: from.description,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    managed_payments: null,
    metadata: from.metadata,
    next_action: null,
    on_behalf_of: null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: {
      card: { installments: null, mandate_options: null, network: null, request_three_d_secure: 'automatic' },
    },
    payment_method_types: from.paymentMethodTypes,
    payment_record: null,
    processing: null,
    receipt_email: null,
    review: null,
    setup_future_usage: null,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: 'requires_payment_method',
    transfer_data: null,
    transfer_group: null,
  } satisfies Stripe.PaymentIntent;
}

/** A charge of the whole amount of a payment intent. */
export function buildCharge(
  paymentIntent: Stripe.PaymentIntent,
  paymentMethodId: string,
  method: Method,
  result: { status: 'succeeded' | 'pending' } | { status: 'failed'; decline: Decline },
  authenticated: boolean,
  created: number,
): Stripe.Charge {
  const paid = result.status !== 'failed';
  return {
    id: newId('ch'),
    object: 'charge',
    amount: paymentIntent.amount,
    amount_captured: paid ? paymentIntent.amount : 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: null,
    billing_details: {
      address: { city: null, country: null, line1: null, line2: null, postal_code: null, state: null },
      email: null,
      name: method.type === 'card' ? method.card.nameOnCard : null,
      phone: null,
      tax_id: null,
    },
    calculated_statement_descriptor: 'SANDBOX',
    captured: paid,
    created,
    currency: paymentIntent.currency,
    customer: null,
    description: paymentIntent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: result.status === 'failed' ? (result.decline.code ?? null) : null,
    failure_message: result.status === 'failed' ? result.decline.message : null,
    fraud_details: {},
    livemode: false,
    metadata: paymentIntent.metadata,
    on_behalf_of: null,
    outcome:
      result.status === 'failed'
        ? {
            advice_code: null,
            network_advice_code: null,
            network_decline_code: null,
            network_status: 'declined_by_network',
            reason: result.decline.decline_code ?? null,
            risk_level: 'normal',
            seller_message: 'The bank did not return any further details with this decline.',
            type: 'issuer_declined',
          }
        : {
            advice_code: null,
            network_advice_code: null,
            network_decline_code: null,
            network_status: 'approved_by_network',
            reason: null,
            risk_level: 'normal',
            seller_message: 'Payment complete.',
            type: 'authorized',
          },
    paid: result.status === 'succeeded',
    payment_intent: paymentIntent.id,
    payment_method: paymentMethodId,
    payment_method_details:
      method.type === 'card' ? cardDetails(method.card, paymentIntent, authenticated) : bankDetails(method),
    radar_options: {},
    receipt_email: null,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: result.status,
    transfer_data: null,
    transfer_group: null,
  } satisfies Stripe.Charge;
}

function cardDetails(card: CardOnFile, paymentIntent: Stripe.PaymentIntent, authenticated: boolean) {
  return {
    type: 'card',
    card: {
      amount_authorized: paymentIntent.amount,
      authorization_code: null,
      brand: card.brand,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
      country: 'US',
      electronic_commerce_indicator: null,
      exp_month: card.expMonth,
      exp_year: card.expYear,
      funding: 'credit',
      installments: null,
      last4: card.last4,
      mandate: null,
      network: card.brand,
      network_transaction_id: null,
      regulated_status: 'unregulated',
      three_d_secure: authenticated
        ? {
            authentication_flow: 'challenge',
            electronic_commerce_indicator: '05',
            exemption_indicator: null,
            result: 'authenticated',
            result_reason: null,
            transaction_id: null,
            version: '2.2.0',
          }
        : null,
      transaction_link_id: null,
      wallet: null,
    },
  } satisfies Stripe.Charge.PaymentMethodDetails;
}

/** The payment method of a bank debit, as the error of its payment intent holds it. */
export function buildBankPaymentMethod(charge: Stripe.Charge): Stripe.PaymentMethod {
  return {
    id: charge.payment_method ?? newId('pm'),
    object: 'payment_method',
    allow_redisplay: 'unspecified',
    billing_details: charge.billing_details,
    created: charge.created,
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: 'us_bank_account',
    us_bank_account: {
      account_holder_type: 'individual',
      account_type: 'checking',
      bank_name: 'STRIPE TEST BANK',
      financial_connections_account: null,
      fingerprint: null,
      last4: charge.payment_method_details?.us_bank_account?.last4 ?? null,
      networks: { preferred: 'ach', supported: ['ach'] },
      routing_number: '110000000',
      status_details: {},
    },
  } satisfies Stripe.PaymentMethod;
}

function bankDetails(method: Method & { type: 'us_bank_account' }) {
  return {
    type: 'us_bank_account',
    us_bank_account: {
      account_holder_type: 'individual',
      account_type: 'checking',
      bank_name: 'STRIPE TEST BANK',
      fingerprint: null,
      last4: method.last4,
      payment_reference: null,
      routing_number: '110000000',
    },
  } satisfies Stripe.Charge.PaymentMethodDetails;
}

import type { Stripe } from 'stripe';
import { cardOfTestMethod } from './cards.ts';
import { StripeApiError } from './errors.ts';
import type { Account } from './events.ts';
import { newId } from './ids.ts';
import { paySession } from './session-payments.ts';
import { createSession, sessionRecord } from './sessions.ts';

export type PayLinkSale = {
  /** What the buyer put into the link's address as `client_reference_id`: anything, even another customer's order id. */
  clientReferenceId: string;
  amountMinor: number;
  currency: string;
};

/**
 * Somebody buys another of the account's products through a Payment Link made at the dashboard. The session has no
 * metadata and belongs to no order.
 *
 * @throws StripeApiError for an amount that Stripe refuses
 */
export function sellByPaymentLink(account: Account, sale: PayLinkSale): Stripe.Checkout.Session {
  // Stripe drops what is not letters, digits, dashes or underscores (docs.stripe.com/payment-links/url-parameters).
  const reference = /^[\w-]{1,200}$/.test(sale.clientReferenceId) ? sale.clientReferenceId : undefined;
  const { id } = createSession(
    account,
    {
      mode: 'payment',
      line_items: [
        {
          price_data: {
            currency: sale.currency.toLowerCase(),
            unit_amount: sale.amountMinor,
            product_data: { name: 'A product sold by a Payment Link' },
          },
          quantity: 1,
        },
      ],
      client_reference_id: reference,
      metadata: {},
      success_url: 'https://stripe.com',
    },
    newId('plink'),
  );
  const card = cardOfTestMethod('pm_card_visa', new Date(account.now()));
  if (card === undefined) throw new StripeApiError(500, { type: 'api_error', message: 'There is no card that pays.' });
  paySession(account, id, { type: 'card', card });
  return sessionRecord(account, id).session;
}

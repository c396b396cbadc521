import { z } from 'zod';
import { cardOfTestMethod } from './cards.ts';
import { openDispute } from './disputes.ts';
import { NO_REQUEST, type Account } from './events.ts';
import { buildCharge, buildPaymentIntent, type Method } from './payment-objects.ts';
import { createRefund } from './refunds.ts';

export const seedBody = z.strictObject({
  /** Payments. */
  count: z.int().min(1).max(1_000_000),
  amountMinor: z.int().min(2),
  currency: z.string().length(3),
  /** When the first and the last one were made, in ms since 1970; the others are spread between. */
  fromMs: z.int(),
  toMs: z.int(),
  /** Each so-manieth is refunded by half at the dashboard, or disputed; none if left out. */
  refundEvery: z.int().min(1).optional(),
  disputeEvery: z.int().min(1).optional(),
});

export type Seed = z.input<typeof seedBody>;

/** The order that the payment of this number is for, and the payment's id. */
export const seededOrderId = (number: number): string => number.toString(16).padStart(24, '0');
const seededPaymentId = (number: number): string => `pi_seed${number}`;

/**
 * Fills an account that has no charges with payments of the past, numbered from 1, whose events nobody gets: a shop's month
 * in a moment.
 */
export function seedCharges(account: Account, seed: z.output<typeof seedBody>): { count: number } {
  const { count, amountMinor, currency, fromMs, toMs, refundEvery, disputeEvery } = seed;
  if (account.store.all('charges').length > 0) throw new Error('Only an account without charges can be seeded');
  const card = cardOfTestMethod('pm_card_visa', new Date(account.now()));
  if (card === undefined) throw new Error('There is no card to pay with');
  const method: Method = { type: 'card', card };
  for (let number = 1; number <= count; number += 1) {
    const atMs = Math.round(fromMs + ((toMs - fromMs) * (number - 1)) / Math.max(1, count - 1));
    const past: Account = { ...account, now: () => atMs, webhooks: { add: () => undefined } };
    const created = Math.floor(atMs / 1000);
    const built = buildPaymentIntent({
      amount: amountMinor,
      currency,
      description: null,
      metadata: { order_id: seededOrderId(number) },
      paymentMethodTypes: ['card'],
      automaticPaymentMethods: null,
      created,
    });
    const id = seededPaymentId(number);
    const charge = buildCharge({ ...built, id }, 'pm_card_visa', method, { status: 'succeeded' }, false, created);
    const paymentIntent = {
      ...built,
      id,
      status: 'succeeded' as const,
      amount_received: amountMinor,
      latest_charge: charge.id,
    };
    account.store.put('paymentIntents', id, { paymentIntent, sessionId: null, returnUrl: null });
    account.store.put('charges', charge.id, charge);
    if (refundEvery !== undefined && number % refundEvery === 0) {
      createRefund(past, { charge: charge.id, amount: Math.floor(amountMinor / 2), metadata: {} }, NO_REQUEST);
    }
    if (disputeEvery !== undefined && number % disputeEvery === 0) {
      openDispute(past, charge.id, { reason: 'fraudulent' });
    }
  }
  return { count };
}

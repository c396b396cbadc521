import type { Stripe } from 'stripe';
import type { OrderRecord } from '../../database/orders.ts';
import { createStripe } from '../../platform/stripe.ts';
import type { World } from './world.ts';

/**
 * Takes money for the order past its Checkout Session, as no shop should.
 *
 * @returns the payment intent
 */
export async function chargeApart(
  world: World,
  order: OrderRecord,
  { amountMinor = order.totalAmountMinor, currency = order.currency, paymentMethod = 'pm_card_visa' } = {},
): Promise<string> {
  const { id } = await createStripe(world.config.stripe).paymentIntents.create({
    amount: amountMinor,
    currency: currency.toLowerCase(),
    payment_method: paymentMethod,
    confirm: true,
    automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
    metadata: { order_id: order.orderId },
  });
  return id;
}

/** The order's Checkout Session as Stripe has it, with what a test says otherwise. */
export async function sessionWith(
  world: World,
  order: OrderRecord,
  changes: Partial<Stripe.Checkout.Session>,
): Promise<Stripe.Checkout.Session> {
  const session = await createStripe(world.config.stripe).checkout.sessions.retrieve(order.checkoutSessionId ?? '');
  return { ...session, ...changes };
}

/** Tells of a paid session that Stripe does not have like this; returns the answers of the webhook. */
export async function tellPaid(
  world: World,
  order: OrderRecord,
  changes: Partial<Stripe.Checkout.Session>,
  event: {
    readonly livemode?: boolean;
    readonly account?: string;
    readonly copies?: number;
    readonly id?: string;
  } = {},
): Promise<(number | string)[]> {
  const object = await sessionWith(world, order, { status: 'complete', payment_status: 'paid', ...changes });
  const sent = await world.stripe.sendEvent({ type: 'checkout.session.completed', object, ...event });
  return sent.results;
}

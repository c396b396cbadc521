import { expect } from 'vitest';
import type { World } from './world.ts';

/** Holds Stripe's answers to new Checkout Sessions, which are made all the same, until the faults are cleared. */
export async function holdLinks({ stripe }: World): Promise<void> {
  await stripe.addFault({ method: 'POST', path: '/v1/checkout/sessions', action: { type: 'hold' } });
}

/**
 * Pays an order whose Checkout Session is made, but not known to the order yet because its link is held, and
 * waits until the order has been told of the payment.
 */
export async function payBeforeLink(world: World, orderId: string): Promise<void> {
  const session = await world.until(async () => {
    const [made] = await world.stripe.sessions(orderId);
    expect(made).toBeDefined();
    return made!;
  });
  await world.stripe.pay(session.id);
  await world.until(async () => {
    const events = await world.stripe.events('checkout.session.completed');
    const mine = events.find((event) => (event.data.object as { id: string }).id === session.id);
    const deliveries = await world.stripe.deliveries();
    expect(deliveries.find(({ eventId }) => eventId === mine?.id)?.status).toBe('delivered');
  });
}

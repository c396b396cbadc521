import { listOrdersById } from '../../database/order-checks.ts';
import type { Context } from '../context.ts';
import { describeWorkflow } from '../workflow-state.ts';
import { attempt, type Finding, ok, problem } from './finding.ts';

const ABOUT = 'Stripe';
/** Stripe's most in one page. */
const PAGE = 100;

/**
 * Payment pages that are open and whose orders exist nowhere here, since both PostgreSQL and Temporal were restored. What was
 * paid on such pages is found by the comparison of the books.
 */
export async function checkSessions(context: Context): Promise<readonly Finding[]> {
  if (context.settings.stripeKeyIsElsewhere) return [];
  return attempt(ABOUT, 'See what is said of Stripe.', async () => {
    const open = await findUnknownPages(context);
    if (open.length === 0) return [ok(ABOUT, 'all open payment pages belong to orders')];
    return open.map(({ orderId }) =>
      problem(
        ABOUT,
        `Order ${orderId} exists only at Stripe, where its payment page is open`,
        '`npm run cli -- doctor --repair` closes the page; tell the customer to order again. See docs/operations.md, "After a restore".',
        [orderId],
      ),
    );
  });
}

/** Closes the payment pages that belong to no order, so that nobody pays for nothing. */
export async function closeUnknownPages(context: Context): Promise<Finding[]> {
  if (context.settings.stripeKeyIsElsewhere) return [];
  const findings: Finding[] = [];
  for (const { orderId, sessionId } of await findUnknownPages(context)) {
    await context.stripe.checkout.sessions.expire(sessionId);
    findings.push(ok('Repair', `The payment page of order ${orderId}, which exists only at Stripe, is closed`));
  }
  return findings;
}

type UnknownPage = { readonly orderId: string; readonly sessionId: string };

/** A row is written before its session is made, so a session without a row has lost it. */
async function findUnknownPages(context: Context): Promise<UnknownPage[]> {
  const { stripe, database, settings } = context;
  // Others may sell on the same account, and with the same software: their customers come back to another address.
  const ours: UnknownPage[] = [];
  for await (const session of stripe.checkout.sessions.list({ status: 'open', limit: PAGE })) {
    const orderId = session.metadata?.['order_id'];
    const isOurs = session.success_url?.startsWith(`${settings.config.publicUrl}/`) === true;
    if (orderId !== undefined && isOurs) ours.push({ orderId, sessionId: session.id });
  }
  const rows = await listOrdersById(database, [...new Set(ours.map(({ orderId }) => orderId))]);
  const known = new Set(rows.map(({ orderId }) => orderId));
  const unknown: UnknownPage[] = [];
  for (const candidate of ours.filter(({ orderId }) => !known.has(orderId))) {
    // One that Temporal knows gets its row again from there.
    if ((await describeWorkflow(context, candidate.orderId)).found === false) unknown.push(candidate);
  }
  return unknown;
}

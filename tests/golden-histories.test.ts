import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { orderPolicy } from '../api/order-policy.ts';
import { aftercareWorkflowId, RECOVER_ORDER, refundWorkflowId } from '../contracts/messages.ts';
import type { OrderRecord } from '../database/orders.ts';
import { writeWorkflowBundle } from '../workers/workflow-bundle.ts';
import {
  emptyFolderOfThisVersion,
  isRecording,
  record,
  recordedHistories,
  whyNotReplayed,
} from './support/golden-histories.ts';
import { holdLinks, payBeforeLink } from './support/early-payment.ts';
import { chargeApart, tellPaid } from './support/stray-payments.ts';
import { startWorld, type World } from './support/world.ts';

/*
 * An order that starts today may end under a later version of the code: its history has to replay there. The histories of
 * each release are kept in tests/histories/<version>/; `npm run histories` records those of this version.
 */

const TOKEN = 'a token for the tests';
const operator = { authorization: `Bearer ${TOKEN}` };

describe.runIf(isRecording)('recording', () => {
  let world: World;
  let folder: string;
  beforeAll(async () => {
    world = await startWorld({
      OPERATOR_TOKEN: TOKEN,
      PAYMENT_WINDOW_SECONDS: '20',
      FULFILLMENT_RETRY_SECONDS: '1',
      STRIPE_RETRY_MAX_SECONDS: '0.02',
    });
    folder = emptyFolderOfThisVersion();
  });
  afterAll(() => world.stop());

  const write = (name: string, workflowId: string, runId?: string) =>
    record({ client: world.client, folder }, name, { workflowId, ...(runId !== undefined && { runId }) });
  const refund = (orderId: string) => world.post(`/api/operator/orders/${orderId}/refund`, { restock: true }, operator);
  async function paidOrder(): Promise<OrderRecord> {
    await world.stopWorker('fulfillment');
    const order = await world.orderWaitingForPayment();
    await world.pay(order);
    return world.untilStatus(order.orderId, 'PAID');
  }
  async function end(name: string, { orderId }: OrderRecord, status: OrderRecord['status']): Promise<void> {
    await world.untilStatus(orderId, status);
    await world.workflowResult(orderId);
    await write(name, orderId);
  }

  test('orders that go every way', async () => {
    await end('paid', await world.finishedOrder(), 'FINISHED');

    const declined = await world.orderWaitingForPayment();
    await world.pay(declined, { card: '4000000000009995' });
    await world.untilEvent(declined.orderId, 'payment.failed');
    await world.pay(declined);
    await end('declined-then-paid', declined, 'FINISHED');

    await world.stripe.addFault({
      method: 'POST',
      path: '/v1/checkout/sessions',
      action: { type: 'hang', ms: 60_000 },
    });
    const early = await world.newOrder();
    await world.cancel(early);
    await world.stripe.clearFaults();
    await end('cancelled-before-its-payment-link', early, 'CANCELLED');

    await holdLinks(world);
    const hasty = await world.newOrder();
    await payBeforeLink(world, hasty.orderId);
    await world.stripe.clearFaults();
    await end('paid-before-its-link-is-saved', hasty, 'FINISHED');

    const waiting = await world.orderWaitingForPayment();
    await world.cancel(waiting);
    await end('cancelled-while-it-waits', waiting, 'CANCELLED');

    await world.stripe.addWebhookRule({ action: { type: 'drop' }, probability: 1 });
    const both = await world.orderWaitingForPayment();
    await world.pay(both);
    await world.cancel(both);
    await end('cancelled-and-paid', both, 'REFUNDED');

    const back = await world.orderWaitingForPayment();
    await world.pay(back);
    await world.comeBack(back);
    await end('paid-without-a-webhook', back, 'FINISHED');
    await world.stripe.clearWebhookRules();

    const debit = await world.orderWaitingForPayment();
    await world.pay(debit, { method: 'bank_debit' });
    await world.untilEvent(debit.orderId, 'payment.processing');
    await world.stripe.settle(debit.checkoutSessionId!, 'succeeded');
    await end('delayed-payment', debit, 'FINISHED');

    const wrong = await world.orderWaitingForPayment();
    const paymentIntent = await chargeApart(world, wrong, { amountMinor: 60 });
    await tellPaid(world, wrong, { amount_total: 60, payment_intent: paymentIntent });
    await end('wrong-amount', wrong, 'CANCELLED');

    const review = await world.orderWaitingForPayment();
    await world.pay(review, { card: '4000000000009235' });
    await world.until(async () => expect((await world.order(review.orderId)).status).not.toBe('WAITING_FOR_PAYMENT'));
    await world.stripe.closeReview((await world.stripe.ledger(review.orderId)).charges[0]!.reviewId!, 'approved');
    await end('in-review', review, 'FINISHED');

    const disputed = await paidOrder();
    const [charge] = (await world.stripe.ledger(disputed.orderId)).charges;
    const dispute = await world.stripe.openDispute(charge!.id);
    await world.untilEvent(disputed.orderId, 'fulfillment.held');
    await world.stripe.closeDispute(dispute.id, 'won');
    await world.startWorker('fulfillment');
    await end('disputed-and-won', disputed, 'FINISHED');

    const gone = await paidOrder();
    await world.stripe.refundAtDashboard(gone.paymentIntentId!);
    await world.untilEvent(gone.orderId, 'payment.refunded');
    await world.startWorker('fulfillment');
    await end('refunded-at-the-dashboard', gone, 'REFUNDED');

    const lost = await paidOrder();
    await world.client.workflow.getHandle(lost.orderId).terminate('lost, for a golden history');
    await world.startWorker('fulfillment');
    await world.client.workflow.start(RECOVER_ORDER, {
      workflowId: lost.orderId,
      taskQueue: `${world.config.temporal.taskQueuePrefix}orders`,
      args: [{ orderId: lost.orderId, policy: orderPolicy(world.config) }],
    });
    await end('recovered', lost, 'FINISHED');

    const expired = await world.orderWaitingForPayment();
    await end('expired', expired, 'EXPIRED');
  }, 180_000);

  test('refunds, short and long', async () => {
    const finished = await world.finishedOrder();
    await world.workflowResult(finished.orderId);
    await refund(finished.orderId);
    await world.untilStatus(finished.orderId, 'REFUNDED');
    await write('refund-after-the-end', refundWorkflowId(finished.orderId));

    const stray = await chargeApart(world, finished);
    await tellPaid(world, finished, { id: 'cs_test_other', payment_intent: stray });
    await world.untilEvent(finished.orderId, 'payment.returned');
    await write('payment-that-is-not-needed', aftercareWorkflowId(stray));

    const long = await paidOrder();
    const first = await world.client.workflow.getHandle(long.orderId).describe();
    await world.stripe.refuseRefunds(60, false);
    const asked = refund(long.orderId);
    await world.untilEvent(long.orderId, 'refund.requested');
    await world.startWorker('fulfillment');
    await asked;
    await world.until(async () => expect((await world.order(long.orderId)).status).toBe('REFUNDED'), 120_000);
    await world.workflowResult(long.orderId);
    await write('long-refund', long.orderId, first.runId);
    await write('long-refund-continued', long.orderId);
  }, 180_000);
});

describe.skipIf(isRecording)('histories of every version', () => {
  const names = recordedHistories();
  const bundle = () => ({ workflowBundle: { codePath: inject('workflowBundlePath') } });

  test('are there, of more than ten different orders', () => {
    expect(new Set(names.map((name) => name.split('/')[1])).size).toBeGreaterThan(10);
  });

  test.each(names)('%s replays', async (name) => {
    expect(await whyNotReplayed(name, bundle())).toBeUndefined();
  });

  describe('against a planted change of order', () => {
    const codePath = join(tmpdir(), `order-backend-planted-${process.pid}.cjs`);
    beforeAll(() => writeWorkflowBundle(codePath, join(import.meta.dirname, 'support', 'planted-workflows.ts')));
    afterAll(() => rmSync(codePath, { force: true }));

    test.each(names)('%s does not replay', async (name) => {
      expect(await whyNotReplayed(name, { workflowBundle: { codePath } })).toContain('Nondeterminism');
    });
  });
});

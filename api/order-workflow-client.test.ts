import {
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { type OrderLifecycleInput, taskQueues } from '../contracts/messages.ts';
import type { RequestedLine } from '../domain/order-lines.ts';
import { createOrderWorkflowClient } from './order-workflow-client.ts';
import { orderRecord } from './testing/fakes.ts';
import { fakeTemporal } from './testing/temporal.ts';

const { orderId } = orderRecord();
const REFUND = { restock: true, reason: 'Sorry.' };

function start(answers: Parameters<typeof fakeTemporal>[0] = {}) {
  const { client, calls } = fakeTemporal(answers);
  const orderWorkflow = createOrderWorkflowClient({
    client,
    taskQueues: taskQueues('test-'),
    createTimeoutMs: 1000,
    stripeRetryMaxMs: 123,
  });
  return { orderWorkflow, calls };
}

function updateThat(result: () => unknown) {
  return { startUpdate: () => ({ result: async () => result() }) };
}

function thrown(error: unknown) {
  return () => {
    throw error;
  };
}

const refusedUpdate = (type: string) =>
  new WorkflowUpdateFailedError('failed', ApplicationFailure.create({ message: 'It is being shipped', type }));

describe('create', () => {
  function input(customerId: string, lines: readonly RequestedLine[]): OrderLifecycleInput {
    return {
      orderId,
      customerId,
      lines,
      requestHash: 'hash',
      keyed: false,
      traceId: '1'.repeat(32),
      traceparent: '',
      successUrl: '',
      cancelUrl: '',
      policy: { paymentWindowMs: 1, fulfillmentRetryMs: 1, stripeRetryMaxMs: 1, holdShipmentFor: [] },
    };
  }

  async function summaryOf(customerId: string, lines: readonly RequestedLine[]): Promise<string> {
    const { orderWorkflow, calls } = start();
    await orderWorkflow.create(input(customerId, lines));
    const options = calls[0]?.args[1] as { startWorkflowOperation: { options: { staticSummary: string } } };
    return options.startWorkflowOperation.options.staticSummary;
  }

  test('starts the workflow with the create in one step, under an id that no second run may take', async () => {
    const { orderWorkflow, calls } = start();
    await orderWorkflow.create(input('c', []));
    expect(calls).toMatchObject([
      {
        call: 'executeUpdateWithStart',
        args: [
          'create',
          {
            updateId: 'create',
            startWorkflowOperation: {
              options: { workflowId: orderId, workflowIdReusePolicy: 'REJECT_DUPLICATE', taskQueue: 'test-orders' },
            },
          },
        ],
      },
    ]);
  });

  test('shows a short order whole in its summary', async () => {
    expect(await summaryOf('c', [{ itemId: 'pencil', quantity: 2 }])).toBe('Customer c: 2 x pencil');
  });

  test.each([
    ['plain', 'x'.repeat(128)],
    ['quotes, each of which is two bytes in JSON', '"'.repeat(128)],
    ['letters of three bytes', '鉛'.repeat(128)],
    ['pictures of four bytes', '✏️🖊'.repeat(40)],
  ])('cuts the summary of a long order by its bytes: %s', async (_name, itemId) => {
    const lines = Array.from({ length: 50 }, () => ({ itemId, quantity: 1 }));
    const summary = await summaryOf('c', lines);
    const bytes = Buffer.byteLength(JSON.stringify(summary));
    expect(bytes).toBeLessThanOrEqual(350);
    expect(bytes).toBeGreaterThan(340);
    expect(summary).toMatch(/^Customer c: 1 x .*\.\.\.$/);
    // Half a surrogate pair is no text.
    expect(JSON.stringify(summary)).not.toContain('\\ud');
  });
});

describe('refund', () => {
  test('of a paid order asks its workflow, always under one id', async () => {
    const { orderWorkflow, calls } = start(updateThat(() => ({ outcome: 'refunded' })));
    expect(await orderWorkflow.refund({ orderId, status: 'PAID' }, REFUND)).toEqual({
      outcome: 'ended',
      result: { outcome: 'refunded' },
    });
    expect(calls).toEqual([
      {
        call: 'startUpdate',
        args: [orderId, 'refund', { updateId: 'refund', args: [REFUND], waitForStage: 'ACCEPTED' }],
      },
    ]);
  });

  test('of a finished order starts a workflow of its own, once', async () => {
    const { orderWorkflow, calls } = start({ start: () => ({ result: async () => ({ outcome: 'refunded' }) }) });
    await orderWorkflow.refund({ orderId, status: 'FINISHED' }, REFUND);
    expect(calls).toMatchObject([
      {
        call: 'start',
        args: [
          'refundOrder',
          {
            workflowId: `refund-${orderId}`,
            workflowIdConflictPolicy: 'USE_EXISTING',
            args: [{ orderId, request: REFUND, stripeRetryMaxMs: 123 }],
          },
        ],
      },
    ]);
  });
});

describe('release', () => {
  test('asks the workflow each time', async () => {
    const { orderWorkflow, calls } = start(updateThat(() => undefined));
    expect(await orderWorkflow.release(orderId, { operator: 'kim' })).toEqual({ outcome: 'ended', result: undefined });
    expect(calls).toEqual([
      { call: 'startUpdate', args: [orderId, 'release', { args: [{ operator: 'kim' }], waitForStage: 'ACCEPTED' }] },
    ]);
  });
});

describe.each(['cancel', 'release'] as const)('the answer to %s', (name) => {
  function ask(answers: Parameters<typeof fakeTemporal>[0]) {
    const { orderWorkflow } = start(answers);
    return name === 'cancel' ? orderWorkflow.cancel(orderId, { reason: 'Sorry.' }) : orderWorkflow.release(orderId, {});
  }

  test.each([
    [
      'says why if the workflow refuses',
      updateThat(thrown(refusedUpdate('Refused'))),
      { outcome: 'refused', why: 'It is being shipped' },
    ],
    [
      'is `closed` if there is no workflow',
      { startUpdate: thrown(new WorkflowNotFoundError('gone', orderId, undefined)) },
      { outcome: 'closed' },
    ],
    [
      'is `closed` if the workflow ended without an answer',
      updateThat(thrown(refusedUpdate('AcceptedUpdateCompletedWorkflow'))),
      { outcome: 'closed' },
    ],
    [
      'is `underWay` if the workflow has taken the request and is slow',
      updateThat(thrown(new WorkflowUpdateRPCTimeoutOrCancelledError('late'))),
      { outcome: 'underWay' },
    ],
  ])('%s', async (_name, answers, outcome) => {
    expect(await ask(answers)).toEqual(outcome);
  });

  test('is an error if the workflow did not take the request in time, since nothing is under way then', async () => {
    const late = new WorkflowUpdateRPCTimeoutOrCancelledError('late');
    await expect(ask({ startUpdate: thrown(late) })).rejects.toBe(late);
  });
});

import { WorkflowNotFoundError } from '@temporalio/client';
import { expect, test } from 'vitest';
import { taskQueues } from '../../contracts/messages.ts';
import type { OrderRecord } from '../../database/orders.ts';
import type { StripeEvent } from '../../domain/stripe-event.ts';
import { orderRecord } from '../testing/fakes.ts';
import { fakeTemporal } from '../testing/temporal.ts';
import { createEventDelivery } from './delivery.ts';

const { orderId } = orderRecord();
const REFUNDED: StripeEvent = {
  eventId: 'evt_1',
  type: 'charge.refunded',
  createdMs: 1,
  paymentIntentId: 'pi_1',
  about: 'charge',
};

function start(order: OrderRecord | undefined, signal: () => unknown) {
  const { client, calls } = fakeTemporal({ signal });
  const reads: string[] = [];
  const deliver = createEventDelivery({
    client,
    taskQueues: taskQueues('test-'),
    findOrder: async (id) => {
      reads.push(id);
      return order;
    },
    stripeRetryMaxMs: 123,
  });
  return { deliver, calls, reads };
}

function ended(): never {
  throw new WorkflowNotFoundError('no such workflow', orderId, undefined);
}

test('an event reaches a running order without a question to PostgreSQL', async () => {
  const { deliver, calls, reads } = start(undefined, () => undefined);
  expect(await deliver(orderId, REFUNDED)).toBe('delivered');
  expect(calls).toEqual([{ call: 'signal', args: [orderId, 'stripeEvent', REFUNDED] }]);
  expect(reads).toEqual([]);
});

test('an event of an order that has ended reaches the aftercare of its payment, which this starts if need be', async () => {
  const order = orderRecord({ status: 'FINISHED', paymentIntentId: 'pi_1' });
  const { deliver, calls } = start(order, ended);
  expect(await deliver(orderId, REFUNDED)).toBe('aftercare');
  expect(calls.slice(1)).toEqual([
    {
      call: 'signalWithStart',
      args: [
        'paymentAftercare',
        {
          workflowId: 'payment-pi_1',
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          taskQueue: 'test-orders',
          args: [{ orderId, event: REFUNDED, stripeRetryMaxMs: 123 }],
          signal: 'stripeEvent',
          signalArgs: [REFUNDED],
          staticSummary: `Payment pi_1 after the end of order ${orderId}`,
        },
      ],
    },
  ]);
});

test('an event that changes nothing for an order that has ended starts nothing', async () => {
  const order = orderRecord({ status: 'REFUNDED', paymentIntentId: 'pi_1' });
  const { deliver, calls } = start(order, ended);
  expect(await deliver(orderId, REFUNDED)).toBe('settled');
  expect(calls).toHaveLength(1);
});

test('an event of an order that there never was changes nothing', async () => {
  const { deliver, calls } = start(undefined, ended);
  expect(await deliver(orderId, REFUNDED)).toBe('unknownOrder');
  expect(calls).toHaveLength(1);
});

test('an error of Temporal is thrown, so that Stripe sends the event again', async () => {
  const { deliver, reads } = start(orderRecord(), () => {
    throw new Error('Temporal is down');
  });
  await expect(deliver(orderId, REFUNDED)).rejects.toThrow('Temporal is down');
  expect(reads).toEqual([]);
});

/**
 * The workflows with one step more at the beginning, as a change of order that somebody forgot to put behind `patched`.
 * Histories of the real ones must not replay against these: `tests/golden-histories.test.ts` makes sure that the replay
 * can fail.
 */
import { sleep } from '@temporalio/workflow';
import type {
  OrderLifecycleInput,
  OrderLifecycleResult,
  PaymentAftercareInput,
  RecoverOrderInput,
  RefundOrderInput,
  RefundResult,
} from '../../contracts/messages.ts';
import * as real from '../../workflows/index.ts';

export async function orderLifecycle(input: OrderLifecycleInput): Promise<OrderLifecycleResult> {
  await sleep(1);
  return real.orderLifecycle(input);
}

export async function recoverOrder(input: RecoverOrderInput): Promise<OrderLifecycleResult> {
  await sleep(1);
  return real.recoverOrder(input);
}

export async function refundOrder(input: RefundOrderInput): Promise<RefundResult> {
  await sleep(1);
  return real.refundOrder(input);
}

export async function paymentAftercare(input: PaymentAftercareInput): Promise<void> {
  await sleep(1);
  return real.paymentAftercare(input);
}

import { describe, expect, test } from 'vitest';
import { ApiError, noSuchOrder } from '../api/errors.ts';
import { orderRecord } from '../api/testing/fakes.ts';
import { exitCodes, toCliError } from './errors.ts';

const { orderId } = orderRecord();

describe('an error of what API and commands share', () => {
  test('tells how to refund an order that can no longer be cancelled', () => {
    const error = (status: string) =>
      toCliError(new ApiError('notCancellable', 'It is shipped', { data: { order_id: orderId, status } }));
    expect(error('PAID')).toMatchObject({
      exitCode: exitCodes.refused,
      message: `It is shipped. To refund it: npm run cli -- order refund ${orderId} --restock`,
    });
    expect(error('FINISHED')?.message).toMatch(new RegExp(`order refund ${orderId}$`));
    expect(error('REFUNDED')?.message).toBe('It is shipped');
  });

  test('leads from an order without a workflow to the doctor', () => {
    const data = { order_id: orderId, status: 'PAID' };
    const error = toCliError(new ApiError('noWorkflow', 'Try again soon', { data }));
    expect(error).toMatchObject({ exitCode: exitCodes.refused });
    expect(error?.message).toContain(`Order ${orderId} is PAID, but no workflow runs for it`);
    expect(error?.message).toContain('--repair');
  });

  test.each([
    ['an unknown order', noSuchOrder(orderId, 'operator'), exitCodes.notFound, `There is no order ${orderId}.`],
    ['a refusal', new ApiError('notReleasable', 'It is CANCELLED'), exitCodes.refused, 'It is CANCELLED'],
    ['a part that is down', new ApiError('unavailable', 'Try again soon'), exitCodes.away, 'Try again soon'],
  ])('has an exit code for %s', (_name, error, exitCode, message) => {
    expect(toCliError(error)).toMatchObject({ exitCode, message });
  });
});

import { ServiceError, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import { ApiError, noSuchOrder, toApiError } from './errors.ts';

/** As `@grpc/grpc-js` makes them: the SDK tells them by `details` and `metadata`. */
function grpcError(code: number): Error {
  return Object.assign(new Error(`grpc ${code}`), { code, details: 'details', metadata: {} });
}

function pgError(code: string): Error {
  return Object.assign(new Error('an SQL error'), { code });
}

describe('what errors become', () => {
  test.each([
    ["Temporal's deadline", new WorkflowUpdateRPCTimeoutOrCancelledError('late')],
    ['Temporal unreachable', new ServiceError('failed', { cause: grpcError(14) })],
    ['a gRPC deadline', new ServiceError('failed', { cause: grpcError(4) })],
    ['Temporal too busy', new ServiceError('failed', { cause: grpcError(8) })],
    ['PostgreSQL refusing connections', Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })],
    ['PostgreSQL stopping', pgError('57P01')],
    ['PostgreSQL full', pgError('53300')],
    ['a lost connection', pgError('08006')],
    ['a lost connection in words', new Error('Connection terminated unexpectedly')],
    ['the pool without a free connection', new Error('timeout exceeded when trying to connect')],
    ['a statement that never ends', new Error('Query read timeout')],
  ])('%s: 5001', (_name, error) => {
    expect(toApiError(error)).toMatchObject({ errorCode: 5001, statusCode: 503 });
  });

  test.each([
    ['a bug', new TypeError('x is not a function')],
    ['a failed update', new WorkflowUpdateFailedError('failed', new Error('bug'))],
    ['a request that Temporal does not understand', new ServiceError('failed', { cause: grpcError(3) })],
    ['wrong SQL', pgError('42601')],
    ['no error at all', 'text'],
  ])('%s: 5000, and nothing of it is told', (_name, error) => {
    const apiError = toApiError(error);
    expect(apiError).toMatchObject({ errorCode: 5000, statusCode: 500, data: null });
    expect(apiError.message).not.toMatch(/function|bug|SQL|grpc/);
  });

  test('leaves what is for the client as it is', () => {
    const error = new ApiError('keyReused', 'message');
    expect(toApiError(error)).toBe(error);
  });

  test('shows a stranger their id short and harmless', () => {
    expect(noSuchOrder(`a\r\nb<"é${'x'.repeat(100)}`, 'customer').message).toMatch(
      /^There is no order [\x20-\x7e]{1,60} of this customer$/,
    );
  });
});

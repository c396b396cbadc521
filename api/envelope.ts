import { currentTraceId } from '../platform/telemetry.ts';

export type Envelope<T> = {
  readonly data: T;
  readonly errorCode: number;
  readonly message: string;
  readonly traceID: string;
};

/**
 * Wraps what was asked for.
 *
 * @param traceId the order's own trace, where the answer is about an order; otherwise the request's
 */
export function success<T>(data: T, traceId = currentTraceId(), message = 'success'): Envelope<T> {
  return { data, errorCode: 0, message, traceID: traceId };
}

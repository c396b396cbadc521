import { currentTraceId } from '../platform/telemetry.ts';

export type Envelope<T> = {
  readonly data: T;
  readonly errorCode: number;
  readonly message: string;
  readonly traceID: string;
};

/**
 * Wraps the data of a successful answer.
 *
 * @param traceId the order's own trace, if the answer is about an order; otherwise the request's
 */
export function success<T>(data: T, traceId = currentTraceId(), message = 'success'): Envelope<T> {
  return { data, errorCode: 0, message, traceID: traceId };
}

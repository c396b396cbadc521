import { Context } from '@temporalio/activity';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';

/** One that is late, or lost, does no harm. */
const HEARTBEATS_IN_A_TIMEOUT = 3;

/**
 * Sends heartbeats for every activity that has a heartbeat timeout, so that what a worker was doing when it died is tried
 * elsewhere after that time, and not after the longest that the activity may take. An activity that ends as soon as it
 * usually does sends none, and costs no request.
 */
export class HeartbeatInterceptor implements ActivityInboundCallsInterceptor {
  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    const context = Context.current();
    const { heartbeatTimeoutMs = 0 } = context.info;
    if (heartbeatTimeoutMs === 0) return next(input);
    const heartbeats = setInterval(() => context.heartbeat(), heartbeatTimeoutMs / HEARTBEATS_IN_A_TIMEOUT);
    try {
      return await next(input);
    } finally {
      clearInterval(heartbeats);
    }
  }
}

import { activityInfo, log, metricMeter } from '@temporalio/activity';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { ApplicationFailure } from '@temporalio/common';
import { STRIPE_MISCONFIGURED, TIMELINE_CONFLICT } from '../contracts/failures.ts';
import { toActivityFailure } from './failures.ts';

/** Failures that only a person can fix; they raise the alarm at once, not when the retries end. */
const ALARMS: ReadonlySet<string> = new Set([STRIPE_MISCONFIGURED, TIMELINE_CONFLICT]);

/**
 * Turns the errors of all activities into failures that workflows recognize, and raises the alarm for those that need
 * it.
 */
export class FailureInterceptor implements ActivityInboundCallsInterceptor {
  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    try {
      return await next(input);
    } catch (error) {
      const failure = toActivityFailure(error, activityInfo().attempt);
      if (failure instanceof ApplicationFailure && ALARMS.has(failure.type ?? '')) {
        log.error(`An operator is needed: ${failure.message}`, { failure: failure.type });
        metricMeter.createCounter('operator_alarms').add(1);
      }
      throw failure;
    }
  }
}

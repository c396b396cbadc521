import { activityInfo, log, metricMeter } from '@temporalio/activity';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { ApplicationFailure } from '@temporalio/common';
import { STRIPE_MISCONFIGURED, TIMELINE_CONFLICT } from '../contracts/failures.ts';
import { toActivityFailure } from './failures.ts';

/** Failures that only a person can fix; they raise the alarm at once, not when the retries end. */
const ALARMS: ReadonlySet<string> = new Set([STRIPE_MISCONFIGURED, TIMELINE_CONFLICT]);

/** The activities that have raised the alarm; above this number they are forgotten, and raise it once more. */
const MAX_ALARMED = 10_000;

/**
 * Turns the errors of all activities into failures that workflows recognize, and raises the alarm for those that need
 * it: once for each activity, however often it is retried.
 */
export class FailureInterceptor implements ActivityInboundCallsInterceptor {
  readonly #alarmed: Set<string>;

  /** @param alarmed one set for all activities of a worker, empty at first */
  constructor(alarmed: Set<string>) {
    this.#alarmed = alarmed;
  }

  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    const { attempt, activityId, workflowExecution } = activityInfo();
    const activity = `${workflowExecution?.runId}/${activityId}`;
    try {
      const result = await next(input);
      this.#alarmed.delete(activity);
      return result;
    } catch (error) {
      const failure = toActivityFailure(error, attempt);
      if (failure instanceof ApplicationFailure && ALARMS.has(failure.type ?? '')) this.#alarm(activity, failure);
      throw failure;
    }
  }

  #alarm(activity: string, { message, type }: ApplicationFailure): void {
    if (this.#alarmed.has(activity)) return;
    if (this.#alarmed.size >= MAX_ALARMED) this.#alarmed.clear();
    this.#alarmed.add(activity);
    log.error(`An operator is needed: ${message}`, { failure: type });
    metricMeter.createCounter('operator_alarms').add(1);
  }
}

import { condition } from '@temporalio/workflow';

/**
 * A step that is under way while messages may come in. What has resolved goes first: its transition is written before
 * the inbox is read. A worker that crashes after it wrote the transition gets the result again in one workflow task with
 * the messages that came since, and must not act on those first.
 */
export class WatchedStep<Result> {
  readonly result: Promise<Result>;
  #settled = false;

  constructor(result: Promise<Result>) {
    this.result = result;
    const settle = () => {
      this.#settled = true;
    };
    result.then(settle, settle);
  }

  /** Waits for the step or for something else, and says whether the step is settled. */
  async settledBefore(somethingElse: () => boolean): Promise<boolean> {
    await condition(() => this.#settled || somethingElse());
    if (!this.#settled) await restOfWorkflowTask();
    return this.#settled;
  }
}

/**
 * Lets everything in that this workflow task brings. The SDK checks conditions after each job of a task, signals first,
 * so that a condition may hold before the result in the same task is seen; conditions are checked again after all jobs.
 */
async function restOfWorkflowTask(): Promise<void> {
  let asked = false;
  await condition(() => {
    const isLater = asked;
    asked = true;
    return isLater;
  });
}

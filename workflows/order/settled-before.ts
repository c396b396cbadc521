import { condition } from '@temporalio/workflow';

/**
 * Waits for a step or for something else, and returns whether the step has settled. Whoever then stops the step still has
 * to take its result, if it brings one: the two may come in one workflow task, and a worker that crashes after it has
 * written the result does that task again, with the messages that came since.
 */
export async function settledBefore(step: Promise<unknown>, somethingElse: () => boolean): Promise<boolean> {
  let settled = false;
  const settle = () => {
    settled = true;
  };
  step.then(settle, settle);
  await condition(() => settled || somethingElse());
  return settled;
}

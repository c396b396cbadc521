import { condition } from '@temporalio/workflow';

/**
 * Waits for a step or for something else, and returns whether the step has settled. A caller that then stops the step
 * must still take its result, if there is one: both may come in one workflow task, and a worker that crashes after it
 * has written the result repeats that task, with the messages that have come since.
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

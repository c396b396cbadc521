import type { Client } from '@temporalio/client';

type Answers = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

/**
 * A Temporal client that answers what a test says and keeps what it was asked. Its functions are named as the SDK's are:
 * `signal`, `startUpdate` and `result` are those of the handle of a workflow.
 */
export function fakeTemporal(answers: Answers = {}) {
  const calls: { readonly call: string; readonly args: readonly unknown[] }[] = [];
  const method = (call: string, ...bound: readonly unknown[]) => {
    return async (...args: readonly unknown[]) => {
      calls.push({ call, args: [...bound, ...args] });
      return answers[call]?.(...bound, ...args);
    };
  };
  const client = {
    withDeadline: async <T>(_deadline: number, ask: () => Promise<T>) => ask(),
    workflow: {
      getHandle: (workflowId: string) => ({
        signal: method('signal', workflowId),
        startUpdate: method('startUpdate', workflowId),
        result: method('result', workflowId),
      }),
      start: method('start'),
      signalWithStart: method('signalWithStart'),
      executeUpdateWithStart: method('executeUpdateWithStart'),
    },
  };
  return { client: client as unknown as Client, calls };
}

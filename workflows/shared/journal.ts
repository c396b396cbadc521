import { defineQuery, setHandler, type WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { isJournaled, JOURNAL_QUERY, type JournalEntry } from '../../contracts/messages.ts';

const journalQuery = defineQuery<readonly JournalEntry[]>(JOURNAL_QUERY);

/**
 * Keeps, for every workflow, what it has had written to our database, in order, and answers it as a query, also long
 * after the workflow's end: Temporal then replays its history. So rows that a restored backup lacks can be written again,
 * from histories that were recorded before there was a journal as well.
 */
export const interceptors: WorkflowInterceptorsFactory = () => {
  const journal: JournalEntry[] = [];
  setHandler(journalQuery, () => journal, { description: 'What this workflow has had written to the database' });

  /** Looks on: the promise of the call stays the one that the workflow waits for, and so does the order of things. */
  function watch<T>(call: { readonly activityType: string; readonly args: readonly unknown[] }, done: Promise<T>) {
    const { activityType: activity, args } = call;
    if (isJournaled(activity)) {
      done.then(
        (result) => journal.push({ activity, input: args[0], result }),
        () => {}, // nothing was written, or it is not known; whoever called goes on with it
      );
    }
    return done;
  }

  return {
    outbound: [
      {
        scheduleActivity: (input, next) => watch(input, next(input)),
        scheduleLocalActivity: (input, next) => watch(input, next(input)),
      },
    ],
  };
};

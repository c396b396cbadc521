import { findLastReconciliation } from '../../database/reconciliations.ts';
import { describeDifference } from '../../domain/books.ts';
import type { Context } from '../context.ts';
import { formatDuration } from '../../domain/duration.ts';
import { attempt, type Finding, ok, problem, warning } from './finding.ts';

const ABOUT = 'Books';
/** Comparisons are hourly by default; three that were missed are no hiccup. */
const MISSED = 3;

/** What the last comparison with Stripe has found, and whether there still are comparisons. */
export async function checkBooks({ database, settings }: Context): Promise<readonly Finding[]> {
  return attempt(ABOUT, 'See what is said of PostgreSQL.', async () => {
    const last = await findLastReconciliation(database);
    if (last === undefined) return [ok(ABOUT, 'were not compared with Stripe yet; `doctor --money` does it at once')];
    const ageMs = Date.now() - last.startedAt.getTime();
    const when = `compared with Stripe ${formatDuration(ageMs)} ago`;
    const late =
      ageMs > MISSED * settings.config.reconcileEveryMs
        ? [warning(ABOUT, `were last ${when}`, 'See docs/operations.md, "BooksNotCompared".')]
        : [];
    const differing = last.differences.map((difference) =>
      problem(ABOUT, describeDifference(difference), 'See docs/operations.md, "BooksDiffer".', [difference.orderId]),
    );
    return late.length + differing.length > 0 ? [...late, ...differing] : [ok(ABOUT, `agree, ${when}`)];
  });
}

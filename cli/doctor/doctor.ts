import type { Context } from '../context.ts';
import { exitCodes, toCliError } from '../errors.ts';
import type { CommandResult } from '../run-command.ts';
import { styled } from '../text.ts';
import { checkBooks } from './check-books.ts';
import { checkDatabase } from './check-database.ts';
import { checkOrders } from './check-orders.ts';
import { checkRefunds } from './check-refunds.ts';
import { checkServices, checkStripe, checkWebhook } from './check-stripe.ts';
import { checkSessions } from './check-sessions.ts';
import { checkStock } from './check-stock.ts';
import { checkTemporal } from './check-temporal.ts';
import { type Finding, ok, problem } from './finding.ts';
import { repair } from './repair.ts';

/**
 * Checks everything that orders depend on, and the orders themselves; with `repair` it first recovers the orders whose
 * workflow is gone.
 */
export async function runDoctor(context: Context, options: { readonly repair: boolean }): Promise<CommandResult> {
  const [database, temporal, ...others] = await Promise.all([
    checkDatabase(context),
    checkTemporal(context),
    checkServices(context),
    checkWebhook(context),
    checkStripe(context),
  ]);
  const isHealthy = (findings: readonly Finding[]) => findings.every(({ level }) => level !== 'problem');
  const findings = [settingsOf(context), ...database, ...temporal, ...others.flat()];
  // Without PostgreSQL and Temporal there is nothing to check, and the findings above say so.
  if (isHealthy(database)) {
    const reached = await context.temporal().then(
      () => true,
      () => false,
    );
    if (options.repair && reached) findings.push(...(await repairAll(context)));
    findings.push(...(await checkStock(context)), ...(await checkBooks(context)));
    if (reached) {
      findings.push(
        ...(await checkOrders(context)),
        ...(await checkRefunds(context)),
        ...(await checkSessions(context)),
      );
    }
  }
  const bad = findings.filter(({ level }) => level !== 'ok');
  return {
    data: { healthy: isHealthy(findings), findings },
    text: [...findings.map(describe), '', summarize(bad)].join('\n'),
    exitCode: isHealthy(findings) ? exitCodes.done : exitCodes.problems,
  };
}

async function repairAll(context: Context): Promise<readonly Finding[]> {
  try {
    return await repair(context);
  } catch (error) {
    const known = toCliError(error);
    if (known === undefined) throw error;
    return [problem('Repair', known.message, 'Fix that first, then try again.')];
  }
}

function settingsOf({ settings }: Context): Finding {
  return ok(
    'Settings',
    settings.stackFile === undefined
      ? 'are complete (environment, .env, defaults; no `npm start` is running here)'
      : `are complete, with the addresses of the running \`npm start\` (${settings.stackFile})`,
  );
}

const MARKS = { ok: ['green', '✓'], warning: ['yellow', '!'], problem: ['red', '✗'] } as const;

function describe({ level, about, message, fix }: Finding): string {
  const [colour, mark] = MARKS[level];
  const line = `${styled(colour, mark)} ${styled('bold', about.padEnd(17))} ${message}`;
  return fix === undefined ? line : `${line}\n${' '.repeat(20)}→ ${fix}`;
}

function summarize(bad: readonly Finding[]): string {
  if (bad.length === 0) return 'All is well.';
  const problems = bad.filter(({ level }) => level === 'problem').length;
  const counts = [
    [problems, 'problem'],
    [bad.length - problems, 'warning'],
  ] as const;
  const told = counts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${count} ${what}${count === 1 ? '' : 's'}`);
  return `${told.join(', ')}.`;
}

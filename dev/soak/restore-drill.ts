import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import process, { stderr, stdout } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { runDoctor } from '../../cli/doctor/doctor.ts';
import type { Finding } from '../../cli/doctor/finding.ts';
import { describeDifference, type Difference } from '../../domain/books.ts';
import type { ManagedProcess } from '../stack/managed-process.ts';
import type { Reporter } from '../stack/stack-error.ts';
import { calmDown, compareBooks, findAllViolations, withContext } from './check.ts';
import { beCustomers, beStaff } from './people.ts';
import { explain } from './report.ts';
import { Shop } from './shop.ts';
import { type SoakStack, startSoakStack } from './stack.ts';

/*
 * `npm run drill:restore`: under load, PostgreSQL, Temporal or both come back from a backup that is some time old, and
 * `doctor --repair` brings rows, workflows and Stripe together again, by the steps of docs/operations.md. The exit code is
 * 0 if all that the product promises holds then.
 */

const CASES = ['postgres', 'temporal', 'both'] as const;
type Case = (typeof CASES)[number];

const CUSTOMERS = 10;
const BEFORE_BACKUP_MS = 15_000;
const MAX_REPAIRS = 8;
const DOWN_ON_PURPOSE: ReadonlySet<string> = new Set(['Orders API', 'Webhook']);

const run = promisify(execFile);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string', default: '1' }, seconds: { type: 'string', default: '40' } },
});
const backupAgeMs = Number(values.seconds) * 1000;
const beganAt = Date.now();
const tell = (message: string): void => {
  stderr.write(`${((Date.now() - beganAt) / 1000).toFixed(0).padStart(4)} s  ${message}\n`);
};
const log: Reporter = { up: (name) => tell(`up: ${name}`), progress: tell, warn: tell };

let failed = false;
for (const which of CASES.filter((one) => positionals.length === 0 || positionals.includes(one))) {
  const stack = await startSoakStack(log);
  try {
    const { lines, violations } = await drill(stack, which);
    failed ||= violations.length > 0;
    stdout.write(`${[...lines, ...(await explain(stack, violations))].join('\n')}\n\n`);
  } finally {
    await stack.stop({ keep: false });
  }
}
process.exit(failed ? 1 : 0);

async function drill(stack: SoakStack, which: Case): Promise<{ lines: string[]; violations: string[] }> {
  const lines: string[] = [];
  const say = (line: string): void => {
    tell(line);
    lines.push(line);
  };
  const ending = new AbortController();
  const shop = new Shop(stack, ending.signal);
  const crowd = { stack, shop, signal: ending.signal, happened: () => undefined };
  const seed = Number(values.seed);
  const people = [
    ...Array.from({ length: CUSTOMERS }, (_, index) => beCustomers(crowd, seed * 1_000 + index)),
    beStaff(crowd, seed * 1_000 + 500),
  ];

  await sleep(BEFORE_BACKUP_MS);
  const databases = [
    ...(which === 'temporal' ? [] : [{ server: stack.postgres, data: stack.state.file('postgres', 'data', '.') }]),
    ...(which === 'postgres'
      ? []
      : [{ server: stack.temporal, data: dirname(stack.state.file('temporal', 'temporal.db')) }]),
  ].map((one) => ({ ...one, backup: stack.state.file('backup', one.server.name) }));
  // Each at its own moment, as backups are.
  for (const database of databases) {
    await backUp(database);
    say(`Backup of ${database.server.name} after ${shop.orders.length} orders`);
  }
  await sleep(backupAgeMs);

  const stoppedAt = Date.now();
  const took = (sinceMs: number): string => `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;
  say(
    `Restore of ${databases.map(({ server }) => server.name).join(' and ')} after ${shop.orders.length} orders, ${CUSTOMERS} customers going on`,
  );
  const edges = [...stack.apis, ...stack.webhooks];
  const workers = stack.workers.map(({ process: worker }) => worker);
  await all([...edges, ...workers], 'stop');
  for (const database of databases) await restore(database);
  say(`1–2. Everything stopped and restored: ${took(stoppedAt)}`);

  let since = Date.now();
  say(`3. doctor --repair without workers: ${summaryOf(await doctor(stack))}; ${took(since)}`);
  since = Date.now();
  await all(workers, 'start');
  let left: Finding[] = [];
  for (let times = 1; times <= MAX_REPAIRS; times += 1) {
    const findings = await doctor(stack);
    // The API and the webhook receiver are still down, which is as it should be.
    left = findings.filter(({ level, about }) => level === 'problem' && !DOWN_ON_PURPOSE.has(about));
    say(`4. doctor --repair with workers, ${times}: ${summaryOf(findings)}`);
    if (left.length === 0) break;
  }
  say(`4. Repaired: ${took(since)}`);
  since = Date.now();
  await all(edges, 'start');
  say(`5. API and webhook receiver up: ${took(since)}; the shop was closed for ${took(stoppedAt)}`);
  await sleep(BEFORE_BACKUP_MS);
  ending.abort();
  await Promise.all(people);

  const calmMs = await calmDown(stack, shop);
  since = Date.now();
  const differences = await compareBooks(stack, beganAt);
  say(`6. doctor --money --repair: ${differences.length} payments differ; ${took(since)}`);
  const { told, lost } = await lostOrders(stack, shop, differences);
  say(
    `Orders: ${shop.orders.length} answered, of them ${lost.size} from after both backups: ${told} were paid, and the doctor told of them`,
  );
  const violations = [
    ...left.map(({ message }) => `The doctor leaves: ${message}`),
    ...differences.filter(({ status }) => status !== null).map((one) => `The books differ: ${describeDifference(one)}`),
    ...(calmMs === undefined ? ['Some orders never came to an end'] : []),
    ...[...shop.broken, ...(await findAllViolations(stack, shop))].filter(
      // What was answered after both backups is lost; after one, it is not.
      (violation) => which !== 'both' || !violation.startsWith('I3') || ![...lost].some((id) => violation.includes(id)),
    ),
  ];
  say(`${which}: ${violations.length === 0 ? 'all held' : 'FAILED'}`);
  return { lines: [...lines, ...violations.map((violation) => `  ${violation.slice(0, 400)}`)], violations };
}

type Backup = { readonly server: ManagedProcess; readonly data: string; readonly backup: string };

/** The copy of a stopped data folder; the shop does without it for a moment. */
async function backUp({ server, data, backup }: Backup): Promise<void> {
  await server.stop();
  await run('cp', ['-a', data, backup]);
  await server.start();
}

async function restore({ server, data, backup }: Backup): Promise<void> {
  await server.stop();
  // Not the folder itself, which may be where a file system is mounted.
  await run('find', [data, '-mindepth', '1', '-delete']);
  await run('cp', ['-a', `${backup}/.`, data]);
  rmSync(backup, { recursive: true });
  await server.start();
}

async function all(parts: readonly ManagedProcess[], what: 'start' | 'stop'): Promise<void> {
  await Promise.all(parts.map((part) => part[what]()));
}

async function doctor(stack: SoakStack): Promise<Finding[]> {
  return withContext(stack, async (context) => {
    const { data } = await runDoctor(context, { repair: true });
    return (data as { findings: Finding[] }).findings;
  });
}

/** What was done, and what is left, by its kind: ids, times and statuses differ from order to order. */
function summaryOf(findings: readonly Finding[]): string {
  const counts = new Map<string, number>();
  for (const { level, about, message } of findings) {
    if (level === 'ok' && about !== 'Repair') continue;
    const kind = message
      .replaceAll(/\b[0-9a-f]{24}\b/g, '…')
      .replaceAll(/\(.*?\)/g, '')
      .slice(0, 110);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts.size === 0 ? 'nothing found' : [...counts].map(([kind, count]) => `${count} × ${kind}`).join('; ');
}

/** The answered orders that exist nowhere any more, and for how many of them there is money at Stripe that nobody told of. */
async function lostOrders(stack: SoakStack, shop: Shop, differences: readonly Difference[]) {
  const ids = shop.orders.map(({ orderId }) => orderId);
  const { rows } = await stack.database.query<{ order_id: string }>(
    'SELECT order_id FROM orders WHERE order_id = ANY($1)',
    [ids],
  );
  const known = new Set(rows.map(({ order_id: orderId }) => orderId));
  const lost = new Set(ids.filter((id) => !known.has(id)));
  const toldOf = new Set(differences.map(({ orderId }) => orderId));
  const paid = (await stack.sandbox.ledger()).totals.filter(
    ({ orderId, keptMinor }) => orderId !== null && lost.has(orderId) && keptMinor > 0,
  );
  for (const { orderId, keptMinor } of paid) {
    if (!toldOf.has(orderId ?? ''))
      shop.broken.push(`Order ${orderId} was charged ${keptMinor} for nothing, and the doctor did not tell`);
  }
  return { lost, told: paid.length };
}

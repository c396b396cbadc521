import { setTimeout as sleep } from 'node:timers/promises';
import { describeDifference } from '../../domain/books.ts';
import type { OrderStatus } from '../../domain/order-status.ts';
import type { Reporter } from '../stack/stack-error.ts';
import { fire, impossibleKinds } from './chaos.ts';
import { calmDown, compareBooks, findAllViolations } from './check.ts';
import { beCustomers, beStaff } from './people.ts';
import { type HumanKind, type Kind, kinds, planFaults, type PlannedFault } from './plan.ts';
import { explain } from './report.ts';
import { Shop } from './shop.ts';
import { type SoakStack, startSoakStack } from './stack.ts';

const CUSTOMERS = 24;
const STAFF = 2;
const TOO_LATE_MS = 20_000;
const TRY_AGAIN_MS = 3_000;
/** Fewer have made no progress worth the name. */
const LEAST_ORDERS_A_MINUTE = 20;

export type Outcome = {
  readonly seed: number;
  readonly minutes: number;
  /** Why the run does not count, or what it found; empty if all held. */
  readonly failures: readonly string[];
  readonly fired: ReadonlyMap<Kind, number>;
  /** Faults that could not be done at one time, with the last reason. */
  readonly failed: ReadonlyMap<Kind, string>;
  readonly impossible: ReadonlyMap<Kind, string>;
  readonly human: ReadonlyMap<HumanKind, number>;
  readonly ends: ReadonlyMap<OrderStatus, number>;
  readonly created: Shop['created'];
  readonly recoveriesMs: SoakStack['recoveriesMs'];
  readonly calmMs: number | undefined;
  readonly violations: readonly string[];
  /** What is known of the orders that are violated. */
  readonly explanation: readonly string[];
};

/**
 * Runs the whole product for some minutes while faults happen and people order, then lets it come to rest and looks at
 * everything that it promises.
 */
export async function soak(
  { seed, minutes }: { readonly seed: number; readonly minutes: number },
  log: Reporter,
): Promise<Outcome> {
  const stack = await startSoakStack(log);
  try {
    return await run(stack, seed, minutes, log);
  } finally {
    await stack.stop({ keep: false });
  }
}

async function run(stack: SoakStack, seed: number, minutes: number, log: Reporter): Promise<Outcome> {
  const beganAt = Date.now();
  const durationMs = minutes * 60_000;
  const impossible = impossibleKinds(stack);
  const plan = planFaults(seed, durationMs, new Set(impossible.keys()));
  const ending = new AbortController();
  const shop = new Shop(stack, ending.signal);
  const human = new Map<HumanKind, number>();
  const crowd = {
    stack,
    shop,
    signal: ending.signal,
    happened: (kind: HumanKind) => human.set(kind, (human.get(kind) ?? 0) + 1),
  };
  log.progress(`${plan.length} faults are planned for ${minutes} minutes, seed ${seed}`);
  const people = [
    ...Array.from({ length: CUSTOMERS }, (_, index) => beCustomers(crowd, seed * 1_000 + index)),
    ...Array.from({ length: STAFF }, (_, index) => beStaff(crowd, seed * 1_000 + 500 + index)),
  ];
  const { fired, failed } = await doAll(stack, shop, plan, log);
  ending.abort();
  await Promise.all(people);
  log.progress(`The faults are over, after ${shop.orders.length} orders`);

  const calmMs = await calmDown(stack, shop);
  const differences = await compareBooks(stack, beganAt);
  const violations = [
    ...shop.broken,
    ...differences.map((difference) => `The books differ: ${describeDifference(difference)}`),
    ...(await findAllViolations(stack, shop)),
  ];
  const { rows } = await stack.database.query<{ status: OrderStatus; count: number }>(
    'SELECT status, count(*)::integer AS count FROM orders GROUP BY status ORDER BY count DESC',
  );
  const ends = new Map(rows.map(({ status, count }) => [status, count]));
  return {
    seed,
    minutes,
    failures: failuresOf({ minutes, fired, impossible, ends, calmMs, violations }),
    fired,
    failed,
    impossible,
    human,
    ends,
    created: shop.created,
    recoveriesMs: stack.recoveriesMs,
    calmMs,
    violations,
    explanation: await explain(stack, violations),
  };
}

/** Does the faults of each lane one after the other: what one takes away, the next may need. */
async function doAll(stack: SoakStack, shop: Shop, plan: readonly PlannedFault[], log: Reporter) {
  const fired = new Map<Kind, number>();
  const failed = new Map<Kind, string>();
  const beganAt = Date.now();
  const lanes = ['machine', 'weather'].map(async (lane) => {
    for (const fault of plan.filter(({ kind }) => kinds[kind].lane === lane)) {
      const early = beganAt + fault.atMs - Date.now();
      // On a machine that does other things faults take longer: then each kind comes once at least, and that is all.
      if (early < -TOO_LATE_MS && fired.has(fault.kind)) continue;
      await sleep(Math.max(0, early));
      try {
        await tryTwice(() => fire({ stack, shop }, fault));
        fired.set(fault.kind, (fired.get(fault.kind) ?? 0) + 1);
      } catch (error) {
        failed.set(fault.kind, error instanceof Error ? error.message : String(error));
        log.warn(`${fault.kind} could not be done: ${failed.get(fault.kind)}`);
      }
    }
  });
  await Promise.all(lanes);
  return { fired, failed };
}

/** What a fault needs may have been taken away by another one just now. */
async function tryTwice(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch {
    await sleep(TRY_AGAIN_MS);
    await act();
  }
}

function failuresOf(
  outcome: Pick<Outcome, 'minutes' | 'fired' | 'impossible' | 'ends' | 'calmMs' | 'violations'>,
): string[] {
  const { minutes, fired, impossible, ends, calmMs, violations } = outcome;
  const silent = (Object.keys(kinds) as Kind[]).filter((kind) => !fired.has(kind) && !impossible.has(kind));
  const orders = [...ends.values()].reduce((sum, count) => sum + count, 0);
  return [
    ...(violations.length > 0 ? [`${violations.length} promises were broken`] : []),
    ...(silent.length > 0 ? [`these faults never fired, so the run shows little: ${silent.join(', ')}`] : []),
    ...(orders < minutes * LEAST_ORDERS_A_MINUTE ? [`only ${orders} orders were made`] : []),
    ...(['FINISHED', 'CANCELLED', 'EXPIRED', 'REFUNDED'] as const)
      .filter((status) => !ends.has(status))
      .map((status) => `no order came to be ${status}`),
    ...(calmMs === undefined ? ['some orders never came to an end'] : []),
  ];
}

import { must } from '../../domain/must.ts';
import { seededRandom } from '../stripe-sandbox/trigger.ts';

/**
 * The kinds of faults, by the way in which they go. `machine` faults take away a process or what it stands on, one after
 * the other; `weather` is what Stripe, its webhooks and strangers do meanwhile. Durations are those of a long run, in ms.
 */
export const kinds = {
  workerDies: { lane: 'machine', what: 'a worker dies: kill -9', holdMs: 0 },
  workerDiesAfterCommit: {
    lane: 'machine',
    what: "the stock worker dies after PostgreSQL's COMMIT, before it hears of it",
    holdMs: 0,
  },
  zombie: {
    lane: 'machine',
    what: 'a worker stands still (SIGSTOP), another takes over, it comes back',
    holdMs: 12_000,
  },
  apiDies: { lane: 'machine', what: 'the orders API dies in the middle of creates', holdMs: 0 },
  webhookDies: { lane: 'machine', what: 'a webhook receiver dies', holdMs: 0 },
  postgresCrashes: { lane: 'machine', what: 'PostgreSQL crashes and is away for some seconds', holdMs: 5_000 },
  connectionsCut: { lane: 'machine', what: 'all connections to PostgreSQL are cut (pg_terminate_backend)', holdMs: 0 },
  connectionsReset: { lane: 'machine', what: 'a proxy resets the connections to PostgreSQL', holdMs: 0 },
  temporalGone: { lane: 'machine', what: 'Temporal is killed and away', holdMs: 15_000 },
  cutOffFromTemporal: { lane: 'machine', what: 'a worker is cut off from Temporal: a proxy swallows', holdMs: 20_000 },
  cutOffFromPostgres: {
    lane: 'machine',
    what: 'a worker is cut off from PostgreSQL: a proxy swallows',
    holdMs: 20_000,
  },
  diskFull: { lane: 'machine', what: "the disk of PostgreSQL's data is full", holdMs: 6_000 },
  clockStep: { lane: 'machine', what: "a worker's clock is a minute or two wrong", holdMs: 15_000 },
  workersSideBySide: {
    lane: 'machine',
    what: 'two workers on the queue orders, as in a rollout; a sample of histories is replayed in the end',
    holdMs: 10_000,
  },
  sandboxDies: { lane: 'machine', what: 'Stripe goes away altogether for a moment', holdMs: 0 },
  diesAfterStripe: { lane: 'weather', what: 'the payment worker dies after Stripe took effect', holdMs: 0 },
  stripeFails: {
    lane: 'weather',
    what: 'Stripe: 500, 429, hanging, slow, reset after the effect; 30 %',
    holdMs: 15_000,
  },
  stripeKeepsFailure: { lane: 'weather', what: 'Stripe keeps a failure under the key', holdMs: 3_000 },
  webhooksManyTimes: { lane: 'weather', what: 'webhooks five times, at once, shuffled', holdMs: 15_000 },
  webhookFirst: { lane: 'weather', what: 'the webhook comes before the session is saved', holdMs: 3_000 },
  webhooksLost: { lane: 'weather', what: 'a fifth of the webhooks is lost', holdMs: 15_000 },
  paymentAfterTheEnd: { lane: 'weather', what: 'a payment after the end, whose refund fails twice', holdMs: 3_000 },
  forgedWebhooks: { lane: 'weather', what: 'forged, stale, future and unsigned webhooks', holdMs: 0 },
  poison: { lane: 'weather', what: 'bad JSON, wrong types, 3 MB', holdMs: 0 },
  foreignEvents: { lane: 'weather', what: 'events of what is not ours', holdMs: 0 },
  refundsRefused: { lane: 'weather', what: 'refunds that Stripe refuses again and again', holdMs: 8_000 },
  slowSenders: { lane: 'weather', what: 'senders that stall or drip', holdMs: 0 },
} as const satisfies Readonly<Record<string, { lane: Lane; what: string; holdMs: number }>>;

type Lane = 'machine' | 'weather';
export type Kind = keyof typeof kinds;
/** Something that people do all the time; the run counts it like a fault. */
export type HumanKind = 'paymentAgainstCancel' | 'paymentAgainstExpiry' | 'dashboard';

export type PlannedFault = {
  /** After the beginning, in ms. */
  readonly atMs: number;
  readonly kind: Kind;
  readonly holdMs: number;
  /** From 0 to 1: which worker, which connection, how long. */
  readonly dice: number;
};

/** Between two faults of a lane, so that the parts come back: what never recovers shows nothing. */
const PAUSE_MS = { machine: 5_000, weather: 1_500 } as const;
/** A run that is shorter than this has shorter faults. */
const FULL_LENGTH_MS = 4 * 60_000;
/** Orders begin before the first fault. */
const WARM_UP_MS = 3_000;

/**
 * Returns the faults of a run: in each lane all of its kinds in an order of chance, again and again. The same seed makes
 * the same plan.
 */
export function planFaults(seed: number, durationMs: number, without: ReadonlySet<Kind> = new Set()): PlannedFault[] {
  const random = seededRandom(seed);
  const scale = Math.min(1, Math.max(0.35, durationMs / FULL_LENGTH_MS));
  const faults: PlannedFault[] = [];
  for (const lane of ['machine', 'weather'] as const) {
    const ofLane = (Object.keys(kinds) as Kind[]).filter((kind) => kinds[kind].lane === lane && !without.has(kind));
    let atMs = WARM_UP_MS;
    while (atMs < durationMs) {
      for (const kind of shuffled(ofLane, random)) {
        const holdMs = Math.round(kinds[kind].holdMs * scale * (0.6 + 0.4 * random()));
        faults.push({ atMs: Math.round(atMs), kind, holdMs, dice: random() });
        atMs += holdMs + PAUSE_MS[lane] * scale * (0.5 + random());
      }
    }
  }
  // A round that has begun goes on past the end; what would come then is left out.
  return faults.filter(({ atMs, holdMs }) => atMs + holdMs <= durationMs).sort((left, right) => left.atMs - right.atMs);
}

function shuffled<T>(all: readonly T[], random: () => number): T[] {
  const left = [...all];
  return all.map(() => must(left.splice(Math.floor(random() * left.length), 1)[0], 'one of those that are left'));
}

export function pick<T>(all: readonly T[], random: () => number): T {
  return must(all[Math.floor(random() * all.length)], 'one of several');
}

import { execFile } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Stripe } from 'stripe';
import { must } from '../../domain/must.ts';
import { createStripe } from '../../platform/stripe.ts';
import type { WorkerKind } from '../../workers/worker.ts';
import type { ManagedProcess } from '../stack/managed-process.ts';
import type { Fault } from '../stripe-sandbox/faults.ts';
import { OPERATOR } from './people.ts';
import type { Kind, PlannedFault } from './plan.ts';
import type { Shop } from './shop.ts';
import type { SoakStack, WorkerPart } from './stack.ts';

/** What is needed to do a fault; what comes back from it that should not is told to the shop. */
export type Chaos = { readonly stack: SoakStack; readonly shop: Shop };

/** How long a fault waits for what it needs: a part that is back, an order that comes by. */
const PATIENCE_MS = 90_000;
const ALMOST_FULL_BYTES = 2 * 1024 * 1024;
const CLOCK_LIBRARY = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';
/** A slow sender is cut off within 15 s and the interval of the check; generously. */
const CUT_OFF_WITHIN_MS = 60_000;

const run = promisify(execFile);

/** Returns the kinds that this machine can't do, with what they lack. */
export function impossibleKinds({ dataDisk }: Pick<SoakStack, 'dataDisk'>): ReadonlyMap<Kind, string> {
  const lacking = new Map<Kind, string>();
  if (dataDisk === undefined) lacking.set('diskFull', 'only root may mount a small file system');
  if (!existsSync(CLOCK_LIBRARY)) lacking.set('clockStep', 'libfaketime is not installed (apt-get install faketime)');
  return lacking;
}

/** Does a fault, and waits until it is over. @throws if it could not be done */
export async function fire(chaos: Chaos, fault: PlannedFault): Promise<void> {
  await FAULTS[fault.kind](chaos, fault);
}

type Doing = (chaos: Chaos, fault: PlannedFault) => Promise<void>;

const FAULTS: Readonly<Record<Kind, Doing>> = {
  workerDies: async ({ stack }, { dice }) => killHard(oneOf(stack.workers, dice).process),
  apiDies: async ({ stack }, { dice }) => killHard(oneOf(stack.apis, dice)),
  webhookDies: async ({ stack }, { dice }) => killHard(oneOf(stack.webhooks, dice)),
  sandboxDies: async ({ stack }) => killHard(stack.stripe),

  workerDiesAfterCommit: async ({ stack }) => {
    const { process: stock, toPostgres } = workerOf(stack, 'stock');
    toPostgres.swallowAnswers(true);
    await sleep(400);
    await killHard(stock);
    toPostgres.swallowAnswers(false);
  },

  zombie: async ({ stack }, { dice, holdMs }) => {
    const { kind, process: frozen } = oneOf(stack.workers, dice);
    const pid = await pidOf(frozen);
    process.kill(pid, 'SIGSTOP');
    try {
      await withStandIn(stack, kind, holdMs);
    } finally {
      wake(pid);
    }
  },

  postgresCrashes: async ({ stack: { postgres } }, { holdMs, dice }) => {
    await pidOf(postgres);
    await postgres.kill();
    await sleep(holdMs * dice);
    await postgres.start();
  },

  temporalGone: async ({ stack: { temporal } }, { holdMs }) => {
    await pidOf(temporal);
    await temporal.kill();
    await sleep(holdMs);
    await temporal.start();
  },

  connectionsCut: async ({ stack: { database } }) => {
    const cut = await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name <> 'soak'`,
    );
    if (cut.rowCount === 0) throw new Error('there was no connection');
  },

  connectionsReset: async ({ stack }) => {
    const cut = stack.workers.map(({ toPostgres }) => toPostgres.resetAll());
    if (cut.every((count) => count === 0)) throw new Error('there was no connection');
  },

  cutOffFromTemporal: async ({ stack }, { dice, holdMs }) => {
    const { toTemporal } = oneOf(stack.workers, dice);
    toTemporal.swallow(true);
    await sleep(holdMs);
    toTemporal.swallow(false);
  },

  cutOffFromPostgres: async ({ stack }, { dice, holdMs }) => {
    const { toPostgres } = oneOf(stack.workers, dice);
    toPostgres.swallow(true);
    await sleep(holdMs);
    toPostgres.swallow(false);
  },

  diskFull: async ({ stack }, { holdMs }) => {
    const disk = must(stack.dataDisk, 'a disk of its own');
    const ballast = join(disk, 'ballast');
    const { bavail, bsize } = await statfs(disk);
    try {
      // PostgreSQL takes some of it meanwhile, and what is left is soon used up.
      await run('fallocate', ['--length', String(bavail * bsize - ALMOST_FULL_BYTES), ballast]);
      await sleep(holdMs);
    } finally {
      rmSync(ballast, { force: true });
    }
  },

  clockStep: async ({ stack }, { dice, holdMs }) => {
    const { kind, process: right } = oneOf(stack.workers, dice);
    const seconds = dice < 0.5 ? -30 - Math.round(dice * 180) : 30 + Math.round((1 - dice) * 180);
    await right.stop();
    try {
      await withStandIn(stack, kind, holdMs, {
        LD_PRELOAD: CLOCK_LIBRARY,
        FAKETIME: `${seconds > 0 ? '+' : ''}${seconds}s`,
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      });
    } finally {
      await right.start();
    }
  },

  workersSideBySide: async ({ stack }, { holdMs }) => withStandIn(stack, 'orders', holdMs),

  diesAfterStripe: async ({ stack }) => {
    await whileHeld(stack, () => killHard(workerOf(stack, 'payment').process));
  },

  webhookFirst: async ({ stack }, { holdMs }) => {
    const { sandbox } = stack;
    await whileHeld(stack, async () => {
      const open = (await sandbox.sessions()).findLast(({ status }) => status === 'open');
      if (open !== undefined) await sandbox.pay(open.id);
      await sleep(holdMs);
    });
  },

  stripeFails: async ({ stack: { sandbox } }, { holdMs, dice }) => {
    const actions: readonly Fault['action'][] = [
      { type: 'error', status: 500 },
      { type: 'error', status: 429 },
      { type: 'hang', ms: 2_000 },
      { type: 'delay', ms: 1_500 },
      { type: 'reset', when: 'after' },
    ];
    for (const [index, action] of actions.entries()) {
      await sandbox.addFault({ action, probability: 0.07, seed: Math.floor(dice * 1e6) + index });
    }
    await sleep(holdMs);
    await sandbox.clearFaults();
  },

  stripeKeepsFailure: async ({ stack: { sandbox } }, { holdMs }) => {
    await sandbox.addFault({ method: 'POST', times: 3, action: { type: 'error', status: 500, stored: true } });
    await sleep(holdMs);
    await sandbox.clearFaults();
  },

  webhooksManyTimes: async ({ stack: { sandbox } }, { holdMs, dice }) => {
    const seed = Math.floor(dice * 1e6);
    await sandbox.addWebhookRule({ action: { type: 'duplicate', copies: 5 }, probability: 0.7, seed });
    await sandbox.addWebhookRule({ action: { type: 'shuffle', windowMs: 3_000 }, probability: 0.7, seed: seed + 1 });
    await sleep(holdMs);
    await sandbox.clearWebhookRules();
  },

  webhooksLost: async ({ stack: { sandbox } }, { holdMs, dice }) => {
    await sandbox.addWebhookRule({ action: { type: 'drop' }, probability: 0.2, seed: Math.floor(dice * 1e6) });
    await sleep(holdMs);
    await sandbox.clearWebhookRules();
  },

  paymentAfterTheEnd: async ({ stack }, { holdMs }) => {
    const { sandbox, config } = stack;
    const { order_id: orderId, total } = await until('an order that was cancelled', async () => {
      const found = await stack.database.query<{ order_id: string; total: number }>(
        `SELECT order_id, total_amount_minor AS total FROM orders
          WHERE status IN ('CANCELLED', 'EXPIRED') ORDER BY updated_at DESC LIMIT 1`,
      );
      return found.rows[0];
    });
    await sandbox.refuseRefunds(2, false);
    const { latest_charge: charge } = await createStripe(config.stripe).paymentIntents.create({
      amount: total,
      currency: 'usd',
      payment_method: 'pm_card_visa',
      confirm: true,
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
      metadata: { order_id: orderId },
    });
    // The first that the shop hears of it: nobody pays like this, so no event of a session tells of it.
    await sandbox.openFraudWarning(typeof charge === 'string' ? charge : must(charge, 'a charge').id);
    await sleep(holdMs);
    await sandbox.clearFaults();
  },

  forgedWebhooks: async ({ stack, shop }) => {
    const { config, webhookUrl } = stack;
    const payload = JSON.stringify({
      id: 'evt_forged',
      object: 'event',
      type: 'checkout.session.completed',
      data: { object: {} },
    });
    const now = Math.floor(Date.now() / 1000);
    const [secret = ''] = config.stripe.endpointSecrets;
    const sign = (timestamp: number, by: string) =>
      Stripe.webhooks.generateTestHeaderString({ payload, secret: by, timestamp });
    const signatures = [
      undefined,
      't=,v1=',
      sign(now, 'whsec_another'),
      sign(now - 3_600, secret),
      sign(now + 3_600, secret),
    ];
    for (const signature of signatures) {
      const headers: Record<string, string> = signature === undefined ? {} : { 'stripe-signature': signature };
      const { status } = await ask(webhookUrl, payload, headers);
      if (status !== 400) shop.broken.push(`16: a webhook signed ${signature ?? 'by nobody'} was answered ${status}`);
    }
  },

  poison: async ({ stack, shop }) => {
    const url = `${stack.apiUrl}/api/customer/poison/create`;
    const bodies = ['{', '[]', '{"customerID":7,"items":"all"}', JSON.stringify({ customerID: 'x'.repeat(3_000_000) })];
    for (const body of bodies) {
      for (const target of [url, stack.webhookUrl]) {
        const { status } = await ask(target, body);
        if (status < 400 || status >= 500)
          shop.broken.push(`19: ${body.slice(0, 30)} was answered ${status} by ${target}`);
      }
    }
  },

  foreignEvents: async ({ stack: { sandbox }, shop }) => {
    const orderId = shop.orders.at(-1)?.orderId ?? '0'.repeat(24);
    await sandbox.payLinkSale({ clientReferenceId: orderId, amountMinor: 100, currency: 'usd' });
    await sandbox.sendRaw({ id: 'evt_thin', object: 'v2.core.event', type: 'v1.charge.refunded' });
    const object = { id: 'ch_foreign', object: 'charge', metadata: { order_id: orderId } };
    await sandbox.sendEvent({ type: 'charge.refunded', object, account: 'acct_another' });
    await sandbox.sendEvent({ type: 'charge.refunded', object, livemode: true });
    await sandbox.sendEvent({ type: 'invented.by.stripe', object });
  },

  refundsRefused: async ({ stack, shop }, { holdMs }) => {
    const { rows } = await stack.database.query<{ order_id: string }>(
      "SELECT order_id FROM orders WHERE status = 'FINISHED' ORDER BY updated_at DESC LIMIT 2",
    );
    if (rows.length === 0) throw new Error('no order was finished yet');
    await stack.sandbox.refuseRefunds(1_000, false);
    for (const { order_id: orderId } of rows) {
      const asked = shop.post(`/api/operator/orders/${orderId}/refund`, { restock: true }, OPERATOR);
      await asked.catch(() => undefined);
    }
    await sleep(holdMs);
    await stack.sandbox.clearFaults();
  },

  slowSenders: async ({ stack, shop }) => {
    for (const url of [stack.apiUrl, stack.webhookUrl]) {
      const { port, pathname } = new URL(url);
      const head = `POST ${pathname} HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n`;
      for (const sent of [head, `${head}content-length: 1000\r\n\r\n{`]) {
        const socket = connect({ host: '127.0.0.1', port: Number(port) });
        const startedAt = Date.now();
        socket.on('error', () => undefined).once('connect', () => socket.write(sent));
        const drip = setInterval(() => socket.write(' '), 3_000);
        socket.once('close', () => {
          clearInterval(drip);
          if (Date.now() - startedAt > CUT_OFF_WITHIN_MS)
            shop.broken.push('24: a slow sender was not cut off for a minute');
        });
      }
    }
  },
};

const CREATE_SESSION = { method: 'POST', path: '/v1/checkout/sessions', times: 1 } as const;

function oneOf<T>(all: readonly T[], dice: number): T {
  return must(all[Math.floor(dice * all.length)], 'one of several');
}

function workerOf({ workers }: SoakStack, kind: WorkerKind): WorkerPart {
  return must(
    workers.find((worker) => worker.kind === kind),
    `a ${kind} worker`,
  );
}

/** The process as it is, once it is up: a part that has just died is on its way back. */
async function pidOf(part: ManagedProcess): Promise<number> {
  return until(`${part.name} to be up`, async () => part.pid());
}

/** One that another fault has killed meanwhile is awake already. */
function wake(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function killHard(part: ManagedProcess): Promise<void> {
  process.kill(await pidOf(part), 'SIGKILL');
}

async function withStandIn(
  stack: SoakStack,
  kind: WorkerKind,
  holdMs: number,
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  const standIn = await stack.standIn(kind, environment);
  await standIn.start();
  await sleep(holdMs);
  await standIn.stop();
}

/** Does something while the sandbox has made a session and keeps the answer back. */
async function whileHeld({ sandbox }: SoakStack, act: () => Promise<void>): Promise<void> {
  try {
    await until('a request that the sandbox holds', async () => {
      const faults = await sandbox.faults();
      // A sandbox that has died meanwhile knows of none any more.
      if (faults.length === 0) await sandbox.addFault({ ...CREATE_SESSION, action: { type: 'hold' } });
      return faults.find(({ holding }) => holding > 0);
    });
    await act();
  } finally {
    await sandbox.clearFaults().catch(() => undefined);
  }
}

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline;) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
    await sleep(100);
  }
  throw new Error(`waited in vain for ${what}`);
}

/** Asks again while nobody answers: the receiver may just be dying of another fault. */
async function ask(url: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return until(`an answer of ${url}`, async () => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });
    await response.body?.cancel();
    return response.status === 503 ? undefined : response;
  });
}

import type { FastifyBaseLogger } from 'fastify';
import { Stripe } from 'stripe';
import type { WireEvent } from './store.ts';
import type { Delivery, Store } from './store.ts';
import type { WebhookRules } from './webhook-rules.ts';

/** How long after a failed delivery the next is tried, in ms; the last one is used from then on. */
const RETRY_DELAYS_MS = [1000, 5000, 30_000, 120_000];
const ATTEMPT_TIMEOUT_MS = 10_000;
/** Deliveries under way at once. Stripe sends in parallel too; the limit keeps a burst from using up all sockets. */
const MAX_IN_FLIGHT = 50;

export type Endpoint = { url: string | undefined; secret: string };

type Options = {
  store: Store;
  rules: WebhookRules;
  endpoint: Endpoint;
  now: () => number;
  logger: FastifyBaseLogger;
};

/** Delivers events to the webhook endpoint, with a new signature for each attempt, until each is accepted. */
export class Webhooks {
  readonly #options: Options;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  /**
   * Failed attempts of this process: a restart begins with the short delays again, as the receiver may have restarted
   * too.
   */
  readonly #failures = new Map<string, number>();
  #fresh: string[];
  /** Events whose delivery is due, in order. */
  readonly #queue = new Set<string>();
  #inFlight = 0;

  /** Deliveries that a former process left pending are taken up by the first {@link start}. */
  constructor(options: Options) {
    this.#options = options;
    this.#fresh = options.store
      .all('deliveries')
      .filter((delivery) => delivery.status === 'pending')
      .map((delivery) => delivery.eventId);
  }

  get endpoint(): Readonly<Endpoint> {
    return this.#options.endpoint;
  }

  /** Sets where events go or what they are signed with, and tries all that is pending at once. */
  setEndpoint(endpoint: Partial<Endpoint>): void {
    Object.assign(this.#options.endpoint, endpoint);
    for (const delivery of this.#options.store.all('deliveries')) {
      if (delivery.status === 'pending') this.#schedule(delivery.eventId, 0);
    }
  }

  add(event: WireEvent): void {
    const { delayMs, ...plan } = this.#options.rules.plan(event.type);
    this.#put({
      eventId: event.id,
      type: event.type,
      ...plan,
      attempts: 0,
      lastResult: null,
      nextAttemptAtMs: this.#options.now() + delayMs,
    });
    if (plan.status === 'pending') this.#fresh.push(event.id);
  }

  /** Begins to deliver what was added; called when the state that the events tell of is saved. */
  start(): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    for (const eventId of fresh) {
      const delivery = this.#options.store.get('deliveries', eventId);
      if (delivery === undefined) continue;
      // What a former process tried is due now; what is new is due at once or, shuffled, a little later.
      this.#schedule(eventId, delivery.attempts > 0 ? 0 : delivery.nextAttemptAtMs - this.#options.now());
    }
  }

  /** Delivers what a rule holds: these events, those of these types, or all. Returns how many there were. */
  release(only: { eventIds?: readonly string[] | undefined; types?: readonly string[] | undefined } = {}): number {
    const held = this.#options.store
      .all('deliveries')
      .filter(
        ({ status, eventId, type }) =>
          status === 'held' && (only.eventIds?.includes(eventId) ?? true) && (only.types?.includes(type) ?? true),
      );
    for (const delivery of held) {
      this.#put({ ...delivery, status: 'pending', nextAttemptAtMs: this.#options.now() });
      this.#schedule(delivery.eventId, 0);
    }
    return held.length;
  }

  /** Delivers an event again now, whatever became of it. Gives the endpoint's status, or why there was none. */
  async redeliver(event: WireEvent, copies = 1): Promise<(number | string)[]> {
    return Promise.all(Array.from({ length: copies }, () => this.send(JSON.stringify(event))));
  }

  /** Delivers a body once, signed, whatever is in it. Returns the endpoint's status, or why there was none. */
  async send(payload: string): Promise<number | string> {
    const { url, secret } = this.#options.endpoint;
    if (url === undefined) return 'no webhook URL is set';
    const timestamp = Math.floor(this.#options.now() / 1000);
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json; charset=utf-8',
          'user-agent': 'Stripe/1.0 (local sandbox)',
          'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp }),
        },
        body: payload,
        redirect: 'manual',
        signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(ATTEMPT_TIMEOUT_MS)]),
      });
      await response.body?.cancel();
      return response.status;
    } catch (error) {
      const { message, cause } = error as Error;
      return cause instanceof Error ? `${message}: ${cause.message}` : message;
    }
  }

  /** Ends all retries and waits for what is under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#queue.clear();
    await Promise.allSettled(this.#running);
  }

  #put(delivery: Delivery): void {
    this.#options.store.put('deliveries', delivery.eventId, delivery);
  }

  #schedule(eventId: string, delayMs: number): void {
    clearTimeout(this.#timers.get(eventId));
    this.#timers.delete(eventId);
    if (this.#closing.signal.aborted) return;
    if (delayMs <= 0) {
      this.#queue.add(eventId);
      this.#drain();
      return;
    }
    const timer = setTimeout(() => this.#schedule(eventId, 0), delayMs);
    this.#timers.set(eventId, timer);
  }

  #drain(): void {
    while (this.#inFlight < MAX_IN_FLIGHT) {
      const [eventId] = this.#queue;
      if (eventId === undefined) return;
      this.#queue.delete(eventId);
      this.#inFlight += 1;
      const running = this.#attempt(eventId)
        .catch((error: unknown) => this.#options.logger.error({ err: error, eventId }, 'webhook delivery broke'))
        .finally(() => {
          this.#inFlight -= 1;
          this.#running.delete(running);
          this.#drain();
        });
      this.#running.add(running);
    }
  }

  async #attempt(eventId: string): Promise<void> {
    const { store, now, logger } = this.#options;
    const event = store.get('events', eventId);
    const before = store.get('deliveries', eventId);
    // Without an endpoint it waits until one is set.
    if (event === undefined || before?.status !== 'pending' || this.#options.endpoint.url === undefined) return;
    const results = await this.redeliver(event, before.copies);
    // Cut off by the end of this process: the next one delivers it.
    if (this.#closing.signal.aborted && results.some((result) => typeof result === 'string')) return;
    const failed = results.find((result) => !taken(result));
    const attempts = before.attempts + 1;
    const failures = this.#failures.get(eventId) ?? 0;
    const delayMs = RETRY_DELAYS_MS[Math.min(failures, RETRY_DELAYS_MS.length - 1)] ?? 0;
    this.#put({
      ...before,
      status: failed === undefined ? 'delivered' : 'pending',
      attempts,
      lastResult: failed ?? results[0] ?? null,
      nextAttemptAtMs: now() + delayMs,
      copies: 1,
    });
    if (failed === undefined) {
      this.#failures.delete(eventId);
    } else {
      this.#failures.set(eventId, failures + 1);
      logger.info({ eventId, type: before.type, result: failed, attempts }, 'webhook not taken; it is sent again');
      this.#schedule(eventId, delayMs);
    }
    store.commit();
  }
}

function taken(result: number | string): boolean {
  return typeof result === 'number' && result >= 200 && result < 300;
}

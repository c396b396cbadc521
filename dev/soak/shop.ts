import { setTimeout as sleep } from 'node:timers/promises';
import { must } from '../../domain/must.ts';
import { isTerminal, leadsTo, type OrderStatus } from '../../domain/order-status.ts';
import { type Items, ShopClient } from '../invariants/shop-client.ts';
import type { SoakStack } from './stack.ts';

export type KnownOrder = { readonly orderId: string; readonly customerId: string };

const POLL_MS = 500;
const BEFORE_TRYING_AGAIN_MS = 300;

/** What customers see of the shop, and what is remembered of it for the report. */
export class Shop extends ShopClient {
  readonly orders: KnownOrder[] = [];
  /** How long each create took until it was answered, in ms, and how often it was asked. */
  readonly created: { readonly tookMs: number; readonly tries: number }[] = [];
  /** What no customer should ever see. */
  readonly broken: string[] = [];
  readonly #stack: SoakStack;
  readonly #signal: AbortSignal;

  constructor(stack: SoakStack, signal: AbortSignal) {
    super(stack.apiUrl);
    this.#stack = stack;
    this.#signal = signal;
  }

  /** Asks with the same key until there is an answer, as a client does that wants its order once. */
  async order(customerId: string, items: Items, key: string): Promise<KnownOrder | undefined> {
    const startedAt = performance.now();
    for (let tries = 1; !this.#signal.aborted; tries += 1) {
      const answer = await this.create(customerId, items, key).catch(() => undefined);
      if (answer?.status === 200) {
        this.created.push({ tookMs: performance.now() - startedAt, tries });
        const order = { orderId: must(answer.body.data, 'the data of a 200').order_id, customerId };
        this.orders.push(order);
        return order;
      }
      if (answer !== undefined && answer.status < 500 && answer.status !== 429) {
        this.broken.push(`a create was answered ${answer.status}: ${answer.body.message}`);
        return undefined;
      }
      await sleep(BEFORE_TRYING_AGAIN_MS);
    }
    return undefined;
  }

  /**
   * Looks at the order as its page does, until its status is one of those.
   *
   * @returns the Checkout Session of its link and its status; undefined if the time is over
   */
  async watch(
    order: KnownOrder,
    until: (status: OrderStatus) => boolean,
    forMs: number,
  ): Promise<
    { readonly status: OrderStatus; readonly sessionId: string | undefined; readonly updatedAtMs: number } | undefined
  > {
    let shown: OrderStatus | undefined;
    for (const deadline = Date.now() + forMs; Date.now() < deadline && !this.#signal.aborted;) {
      const answer = await this.read(order).catch(() => undefined);
      const data = answer?.status === 200 ? (answer.body.data as ShownOrder) : undefined;
      if (answer?.status === 404)
        this.broken.push(`I3: order ${order.orderId} was answered, and is not there when it is read`);
      if (data !== undefined) {
        if (shown !== undefined && shown !== data.status && !leadsTo(shown, data.status)) {
          this.broken.push(`I5: the customer of order ${order.orderId} was shown ${shown} and then ${data.status}`);
        }
        shown = data.status;
        if (until(shown)) {
          const sessionId = /\/c\/pay\/(?<id>cs_\w+)/.exec(data.payment_link ?? '')?.groups?.['id'];
          return { status: shown, sessionId, updatedAtMs: Date.parse(data.updated_at) };
        }
      }
      await sleep(POLL_MS);
    }
    return undefined;
  }

  async untilEnded(order: KnownOrder, forMs: number): Promise<void> {
    await this.watch(order, isTerminal, forMs);
  }

  /** Pays as the customer would on the hosted page; tries again while Stripe is away. */
  async pay(sessionId: string, how: Parameters<SoakStack['sandbox']['pay']>[1] = {}): Promise<string> {
    for (let tries = 0; tries < 10; tries += 1) {
      const attempt = await this.#stack.sandbox.pay(sessionId, how).catch(() => undefined);
      if (attempt !== undefined) return attempt.outcome;
      await sleep(BEFORE_TRYING_AGAIN_MS);
    }
    return 'away';
  }
}

type ShownOrder = { readonly status: OrderStatus; readonly payment_link: string | null; readonly updated_at: string };

/** Tries it: much of what people and machines do is refused at the moment, which is as good as nothing happening. */
export async function ifPossible<T>(attempt: Promise<T>): Promise<T | undefined> {
  return attempt.catch(() => undefined);
}

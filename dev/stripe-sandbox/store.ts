import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Stripe } from 'stripe';
import type { CardOnFile } from './cards.ts';

/** An event as it goes over the wire; its object is frozen as it was when the event happened. */
export type WireEvent = Omit<Stripe.EventBase, 'data' | 'type'> & {
  type: string;
  data: { object: object; previous_attributes?: object };
};

/** One line of a session; Stripe's LineItem is built from it when it is asked for. */
export type Line = {
  id: string;
  priceId: string;
  productId: string;
  name: string;
  unitAmount: number;
  quantity: number;
};

export type SessionRecord = {
  session: Stripe.Checkout.Session;
  lines: readonly Line[];
  /** What `payment_intent_data` asked for; the payment intent is made when the customer first confirms. */
  paymentIntentData: { metadata: Record<string, string>; description: string | null };
};

export type PaymentIntentRecord = {
  paymentIntent: Stripe.PaymentIntent;
  sessionId: string | null;
  returnUrl: string | null;
  /** The card that waits for 3-D Secure. */
  card?: CardOnFile;
  /** Refunds of the payment are pending at first, as the card that paid it asks. */
  refundsArePending?: boolean;
  /** A bank debit that ends by itself, and when, in ms since the epoch. */
  settles?: { atMs: number; result: 'succeeded' | 'failed' };
};

type DeliveryStatus = 'pending' | 'held' | 'dropped' | 'delivered';

export type Delivery = {
  eventId: string;
  type: string;
  status: DeliveryStatus;
  attempts: number;
  /** Status of the last answer, or why there was none. */
  lastResult: number | string | null;
  nextAttemptAtMs: number;
  /** How often the event is sent before it counts as delivered: more than 1 for a duplicate. */
  copies: number;
};

/** The answer kept under an idempotency key. */
export type StoredAnswer = { fingerprint: string; endpoint: string; status: number; body: string; createdAtMs: number };

export type Collections = {
  sessions: SessionRecord;
  paymentIntents: PaymentIntentRecord;
  charges: Stripe.Charge;
  refunds: Stripe.Refund;
  disputes: Stripe.Dispute;
  reviews: Stripe.Review;
  fraudWarnings: Stripe.Radar.EarlyFraudWarning;
  events: WireEvent;
  deliveries: Delivery;
  answers: StoredAnswer;
};

type Change = { [K in keyof Collections]: [collection: K, id: string, value: Collections[K]] }[keyof Collections];

/**
 * The sandbox's state: maps in memory, and if a file is given, a journal of their changes. Values are never changed
 * in place but replaced, so an event that holds one stays as it was.
 */
export class Store {
  readonly #maps: { [K in keyof Collections]: Map<string, Collections[K]> } = {
    sessions: new Map(),
    paymentIntents: new Map(),
    charges: new Map(),
    refunds: new Map(),
    disputes: new Map(),
    reviews: new Map(),
    fraudWarnings: new Map(),
    events: new Map(),
    deliveries: new Map(),
    answers: new Map(),
  };
  #unsaved: Change[] = [];
  #file: number | undefined;
  #length = 0;

  /** @param stateFile where the journal is kept; without it the state ends with the process */
  constructor(stateFile?: string) {
    if (stateFile !== undefined) this.#open(stateFile);
  }

  get<K extends keyof Collections>(collection: K, id: string): Collections[K] | undefined {
    return this.#maps[collection].get(id);
  }

  /** All values of a collection, oldest first. */
  all<K extends keyof Collections>(collection: K): Collections[K][] {
    return [...this.#maps[collection].values()];
  }

  put<K extends keyof Collections>(collection: K, id: string, value: Collections[K]): void {
    this.#maps[collection].set(id, value);
    this.#unsaved.push([collection, id, value] as Change);
  }

  /**
   * Writes what was put since the last commit: one line, so a process that is killed leaves all of it or nothing.
   * The write has reached the operating system when this returns: a kill -9 loses nothing.
   *
   * @throws when the file can't be written; the changes stay, and the next commit writes them
   */
  commit(): void {
    if (this.#unsaved.length === 0) return;
    if (this.#file !== undefined) {
      const line = Buffer.from(`${JSON.stringify(this.#unsaved)}\n`);
      try {
        let written = 0;
        while (written < line.length) {
          written += writeSync(this.#file, line, written, line.length - written, this.#length + written);
        }
      } catch (error) {
        ftruncateSync(this.#file, this.#length);
        throw error;
      }
      this.#length += line.length;
    }
    this.#unsaved = [];
  }

  close(): void {
    if (this.#file === undefined) return;
    this.commit();
    closeSync(this.#file);
    this.#file = undefined;
  }

  /** Reads the journal, then puts one without the past in its place, as a whole (a temporary file, renamed). */
  #open(stateFile: string): void {
    mkdirSync(dirname(stateFile), { recursive: true });
    for (const change of readJournal(stateFile)) {
      (this.#maps[change[0]] as Map<string, unknown>).set(change[1], change[2]);
    }
    const state = Object.entries(this.#maps).flatMap(([collection, map]) =>
      [...map].map(([id, value]) => `${JSON.stringify([[collection, id, value]])}\n`),
    );
    const fresh = `${stateFile}.new`;
    writeFileSync(fresh, state.join(''), { mode: 0o600 });
    renameSync(fresh, stateFile);
    this.#file = openSync(stateFile, 'r+');
    this.#length = Buffer.byteLength(state.join(''));
  }
}

function readJournal(stateFile: string): Change[] {
  let text: string;
  try {
    text = readFileSync(stateFile, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const lines = text.split('\n');
  // What comes after the last line end is empty, or a write that the process did not live to end.
  lines.pop();
  return lines.flatMap((line, index) => {
    try {
      return JSON.parse(line) as Change[];
    } catch {
      throw new Error(
        `The sandbox's state file ${stateFile} is damaged at line ${index + 1}; delete it to start empty.`,
      );
    }
  });
}

import { Stripe } from 'stripe';
import { newId } from './ids.ts';
import type { Store, WireEvent } from './store.ts';

/** The API request that caused something; both null when the customer or time did. */
export type Cause = { id: string | null; idempotency_key: string | null };
export const NO_REQUEST: Cause = { id: null, idempotency_key: null };

/** What every part of the sandbox works with. */
export type Account = {
  readonly store: Store;
  readonly webhooks: EventSink;
  readonly now: () => number;
  /** Where the hosted pages are reached, without a slash at the end. */
  readonly publicUrl: () => string;
  /** Writes what changed, then begins to deliver the events among it. */
  readonly save: () => void;
};

/** Takes new events to deliver them. */
type EventSink = { add(event: WireEvent): void };

export function seconds(account: Account): number {
  return Math.floor(account.now() / 1000);
}

export const API_VERSION = Stripe.API_VERSION;

export function buildEvent(
  account: Account,
  type: string,
  object: object,
  cause: Cause,
  more: Partial<WireEvent> = {},
): WireEvent {
  return {
    id: newId('evt'),
    object: 'event',
    api_version: API_VERSION,
    created: seconds(account),
    data: { object },
    livemode: false,
    pending_webhooks: 1,
    request: { ...cause },
    type,
    ...more,
  } satisfies WireEvent;
}

/**
 * Records an event and that it is to be delivered. It leaves when the account is saved.
 *
 * @param previous for an update, the changed fields as they were before
 */
export function emit(account: Account, type: string, object: object, cause: Cause, previous?: object): void {
  const data = previous === undefined ? { object } : { object, previous_attributes: previous };
  const event = buildEvent(account, type, object, cause, { data });
  account.store.put('events', event.id, event);
  account.webhooks.add(event);
}

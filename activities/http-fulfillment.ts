import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { CallOffResult, FulfillmentResult } from '../contracts/messages.ts';
import type { FulfillmentService, Shipment } from './fulfillment.ts';

/** After this the request is retried, with the same idempotency key. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Only these mean that the order cannot be shipped; a wrong address or secret is for the operator to fix. */
const IMPOSSIBLE: ReadonlySet<number> = new Set([409, 410, 422]);
/**
 * Only these confirm that the order will not leave. A 404 may come from a wrong address, and says nothing of the goods.
 */
const WILL_NOT_LEAVE = 410;
const MAX_REASON_LENGTH = 200;

const shipped = z.object({ tracking_number: z.string().min(1).max(128) });
const refused = z.object({ reason: z.string().min(1) });

type Options = {
  /** Orders are POSTed here, and called off with DELETE on `<url>/<order id>`. */
  readonly url: string;
  /** Signs the requests; shared with the receiver. */
  readonly secret: string;
};

/**
 * The shop's own fulfillment, over HTTP; docs/fulfillment.md is its protocol.
 *
 * @throws each call throws if the receiver gave no clear answer, and is retried
 */
export function createHttpFulfillment({ url, secret }: Options): FulfillmentService {
  async function send(method: 'POST' | 'DELETE', address: string, orderId: string, body: string): Promise<Response> {
    return fetch(address, {
      method,
      headers: {
        'content-type': 'application/json',
        'idempotency-key': `${orderId}:fulfillment`,
        'fulfillment-signature': sign(secret, body, Math.floor(Date.now() / 1000)),
      },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
  }

  return {
    async ship({ orderId, lines }: Shipment): Promise<FulfillmentResult> {
      const body = JSON.stringify({
        order_id: orderId,
        lines: lines.map(({ itemId, name, quantity }) => ({ item_id: itemId, name, quantity })),
      });
      const response = await send('POST', url, orderId, body);
      if (response.ok) {
        const { tracking_number: trackingNumber } = shipped.parse(await response.json());
        return { outcome: 'shipped', trackingNumber };
      }
      if (IMPOSSIBLE.has(response.status)) return { outcome: 'impossible', reason: await reasonOf(response) };
      throw unclear('ship', orderId, response);
    },

    async callOff(orderId: string): Promise<CallOffResult> {
      const body = JSON.stringify({ order_id: orderId });
      const response = await send('DELETE', `${url}/${orderId}`, orderId, body);
      if (response.ok || response.status === WILL_NOT_LEAVE) return { outcome: 'calledOff' };
      if (response.status === 409) {
        const { tracking_number: trackingNumber } = shipped.parse(await response.json());
        return { outcome: 'shipped', trackingNumber };
      }
      throw unclear('call off', orderId, response);
    },
  };
}

/**
 * Signs a request as Stripe signs its webhooks: `t=<seconds>,v1=<HMAC-SHA256 of `<seconds>.<body>`, in hexadecimal>`.
 *
 * @param atSeconds the time of signing in seconds since 1970; receivers refuse old ones
 */
function sign(secret: string, body: string, atSeconds: number): string {
  return `t=${atSeconds},v1=${createHmac('sha256', secret).update(`${atSeconds}.${body}`).digest('hex')}`;
}

async function reasonOf(response: Response): Promise<string> {
  const answer = refused.safeParse(await response.json().catch(() => undefined));
  // Part of a sentence that the customer reads.
  const reason = answer.success ? answer.data.reason.replace(/\.+$/, '') : 'the warehouse cannot ship it';
  return reason.slice(0, MAX_REASON_LENGTH);
}

function unclear(what: string, orderId: string, response: Response): Error {
  return new Error(`The fulfillment service answered ${response.status} when asked to ${what} order ${orderId}`);
}

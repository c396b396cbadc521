import type { RequestLogEntry } from './api.ts';
import type { WireEvent } from './store.ts';
import type { Fault, FaultState } from './faults.ts';
import type { Ledger, SessionSummary } from './ledger.ts';
import type { PayLinkSale } from './payment-links.ts';
import type { ClosedReason } from './radar.ts';
import type { Seed } from './seed.ts';
import type { SessionAttempt } from './session-payments.ts';
import type { Delivery } from './store.ts';
import type { WebhookRule, WebhookRuleState } from './webhook-rules.ts';

export type PayOptions = {
  method?: 'card' | 'bank_debit';
  /** The number of a test card; 4242 4242 4242 4242 unless told. */
  card?: string;
  /**
   * What the customer does if the card asks for 3-D Secure; left out, the payment waits for {@link
   * SandboxAdmin.authenticate}.
   */
  threeDSecure?: 'pass' | 'fail';
};

export type DashboardRefund = {
  amountMinor?: number;
  reason?: 'duplicate' | 'fraudulent' | 'requested_by_customer';
  pending?: boolean;
};

export type HandMadeEvent = {
  type: string;
  object: object;
  id?: string;
  livemode?: boolean;
  account?: string;
  created?: number;
  api_version?: string;
  copies?: number;
};

/** For each copy the endpoint's status, or why there was no answer. */
export type SendResult = { id: string; results: (number | string)[] };

export type SandboxAdmin = ReturnType<typeof createSandboxAdmin>;

/**
 * Tests' way to the sandbox's admin face.
 *
 * Every function throws an Error with the sandbox's message when it is refused.
 *
 * @param baseUrl where the sandbox listens; it must be an address of this machine
 */
export function createSandboxAdmin(baseUrl: string) {
  const call = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const response = await fetch(`${baseUrl}/sandbox/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const answer = (await response.json()) as T & { error?: { message: string } };
    if (response.ok) return answer;
    throw new Error(`The sandbox refused ${method} /sandbox/${path} (${response.status}): ${answer.error?.message}`);
  };
  const query = (name: string, value: string | undefined) =>
    value === undefined ? '' : `?${name}=${encodeURIComponent(value)}`;

  return {
    /** What money moved; of one order if its id is given. */
    ledger: (orderId?: string) => call<Ledger>('GET', `ledger${query('orderId', orderId)}`),
    /** The Checkout Sessions, oldest first. */
    sessions: async (orderId?: string) =>
      (await call<{ sessions: SessionSummary[] }>('GET', `sessions${query('orderId', orderId)}`)).sessions,
    /** The last requests to /v1, oldest first. */
    requests: async () => (await call<{ requests: RequestLogEntry[] }>('GET', 'requests')).requests,

    /**
     * Pays a session as a customer would on the hosted page. `outcome: 'closed'`: it is complete or expired already.
     */
    pay: (sessionId: string, options: PayOptions = {}) =>
      call<SessionAttempt & { paymentIntentId: string | null }>('POST', `sessions/${sessionId}/pay`, options),
    /** Ends the 3-D Secure that a payment waits for. */
    authenticate: (sessionId: string, result: 'pass' | 'fail') =>
      call<SessionAttempt>('POST', `sessions/${sessionId}/authenticate`, { result }),
    /** Ends a bank debit that is under way. */
    settle: (sessionId: string, result: 'succeeded' | 'failed') =>
      call<SessionAttempt>('POST', `sessions/${sessionId}/settle`, { result }),
    /** Expires a session as if its time were over. */
    timeOut: (sessionId: string) => call<{ status: string }>('POST', `sessions/${sessionId}/time-out`, {}),

    /**
     * Somebody buys another of the account's products through a Payment Link: a paid session without metadata, whose
     * `client_reference_id` is whatever the buyer put into the link's address.
     */
    payLinkSale: (sale: PayLinkSale) =>
      call<{ sessionId: string; paymentIntentId: string; chargeId: string }>('POST', 'payment-link-sales', sale),

    /**
     * Fills an account that has no charges with payments of the past, without events: order `seededOrderId(n)`, from 1
     * on.
     */
    seedCharges: (seed: Seed) => call<{ count: number }>('POST', 'seed', seed),

    /**
     * A person refunds a payment at Stripe's dashboard: everything that is left, or a part. A `pending` refund ends
     * with {@link SandboxAdmin.settleRefund} or {@link SandboxAdmin.failRefund}.
     */
    refundAtDashboard: (paymentIntentId: string, refund: DashboardRefund = {}) =>
      call<{ id: string; status: string; amountMinor: number }>('POST', 'refunds', {
        paymentIntent: paymentIntentId,
        ...refund,
      }),
    /** A refund that is pending reaches the customer. */
    settleRefund: (refundId: string) => call<{ status: string }>('POST', `refunds/${refundId}/settle`, {}),
    /** A refund that is pending or succeeded fails: the charge gets its amount back. */
    failRefund: (refundId: string, reason?: string) =>
      call<{ status: string }>('POST', `refunds/${refundId}/fail`, reason === undefined ? {} : { reason }),
    /** The next refunds are refused, as when the balance does not suffice; Stripe keeps that answer under its key. */
    refuseRefunds: (times: number, stored = true) =>
      call<{ id: string }>('POST', 'faults', {
        method: 'POST',
        path: '/v1/refunds',
        times,
        action: {
          type: 'error',
          status: 400,
          code: 'balance_insufficient',
          message: 'Insufficient funds in your Stripe balance to refund this amount.',
          stored,
        },
      } satisfies Fault),
    /**
     * The customer's bank takes the money back. `inquiry`: it only asks, and the charge can still be refunded.
     * `amountMinor`: the part that is disputed; all that was not refunded, if left out.
     */
    openDispute: (chargeId: string, reason = 'fraudulent', dispute: { amountMinor?: number; inquiry?: boolean } = {}) =>
      call<{ id: string }>('POST', 'disputes', { charge: chargeId, reason, ...dispute }),
    /** Answers a dispute or an inquiry; the bank looks at the evidence. */
    submitEvidence: (disputeId: string) => call<{ status: string }>('POST', `disputes/${disputeId}/evidence`, {}),
    /** An inquiry becomes a dispute: the bank takes the money back. */
    escalateInquiry: (disputeId: string) => call<{ status: string }>('POST', `disputes/${disputeId}/escalate`, {}),
    /** A dispute ends as won or lost, an inquiry as `warning_closed`. */
    closeDispute: (disputeId: string, status: 'won' | 'lost' | 'warning_closed') =>
      call<{ status: string }>('POST', `disputes/${disputeId}/close`, { status }),

    /** Puts a payment in review. */
    openReview: (chargeId: string, reason: 'manual' | 'rule' = 'manual') =>
      call<{ id: string }>('POST', 'reviews', { charge: chargeId, reason }),
    /** Closes a review by doing what the reason says: the payment is approved, refunded or disputed. */
    closeReview: (reviewId: string, reason: ClosedReason) =>
      call<{ closedReason: string }>('POST', `reviews/${reviewId}/close`, { reason }),
    /** The card's issuer suspects fraud. */
    openFraudWarning: (chargeId: string, fraudType = 'misc') =>
      call<{ id: string }>('POST', 'fraud-warnings', { charge: chargeId, fraudType }),

    /** Sets where events go and what they are signed with; what is pending is tried at once. */
    setWebhook: (endpoint: { url?: string; secret?: string }) =>
      call<{ url: string | null }>('POST', 'webhooks', endpoint),
    /** Events and how their delivery stands, oldest first. */
    deliveries: async () => (await call<{ deliveries: Delivery[] }>('GET', 'webhooks')).deliveries,
    webhookRules: async () => (await call<{ rules: WebhookRuleState[] }>('GET', 'webhooks')).rules,
    /** Drops, duplicates, holds or shuffles events; the id is for {@link webhookRules}. */
    addWebhookRule: (rule: WebhookRule) => call<{ id: string }>('POST', 'webhooks/rules', rule),
    clearWebhookRules: () => call<object>('DELETE', 'webhooks/rules'),
    /** Delivers held events: these, those of these types, or all. */
    releaseEvents: (only?: string[] | { types: string[] }) =>
      call<{ released: number }>('POST', 'webhooks/release', Array.isArray(only) ? { eventIds: only } : (only ?? {})),
    events: async (type?: string) =>
      (await call<{ events: WireEvent[] }>('GET', `events${query('type', type)}`)).events,
    /** Delivers an event again, now, and waits for the answers. */
    redeliver: (eventId: string, copies = 1) => call<SendResult>('POST', `events/${eventId}/redeliver`, { copies }),
    /** Sends an event that Stripe never had, once, signed as configured, and waits for the answers. */
    sendEvent: (event: HandMadeEvent) => call<SendResult>('POST', 'events', event),

    /** Sends any body once, signed, and waits for the answer: the endpoint's status, or why there was none. */
    sendRaw: async (body: string | object) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      return (await call<{ result: number | string }>('POST', 'webhooks/raw', { body: text })).result;
    },

    /** Scripts a fault for requests to /v1. The SDK itself tries a reset connection once more. */
    addFault: (scripted: Fault) => call<{ id: string }>('POST', 'faults', scripted),
    faults: async () => (await call<{ faults: FaultState[] }>('GET', 'faults')).faults,
    /** Lets held answers go: of one fault, or all. */
    releaseFaults: (id?: string) =>
      call<{ released: number }>('POST', 'faults/release', id === undefined ? {} : { id }),
    /** Removes all faults, and lets held answers go. */
    clearFaults: () => call<object>('DELETE', 'faults'),
  };
}

import type { OrderRecord } from '../../database/orders.ts';
import type { AnsweredCreate } from './find-violations.ts';

export type Envelope<Data = Record<string, unknown>> = {
  readonly data: Data;
  readonly errorCode: number;
  readonly message: string;
  readonly traceID: string;
};

export type Answer<Data = Record<string, unknown>> = {
  readonly status: number;
  readonly body: Envelope<Data>;
};

export type Created = { readonly order_id: string; readonly customer_id: string; readonly redirect_url: string };
export type Items = readonly { readonly itemID: string; readonly quantity: number }[];
type OrderIds = Pick<OrderRecord, 'customerId' | 'orderId'>;

/** What a client of the orders API does; it remembers how its creates were answered. */
export class ShopClient {
  readonly creates: AnsweredCreate[] = [];
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Sends JSON, or what is given as text, to the orders API. */
  async post<Data = Record<string, unknown>>(
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer<Data>> {
    const response = await fetch(`${this.#url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Envelope<Data> };
  }

  /** @param key the Idempotency-Key, if the client sends one */
  async create(customerId: string, items: Items, key?: string): Promise<Answer<Created>> {
    const path = `/api/customer/${encodeURIComponent(customerId)}/create`;
    const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key };
    const answer = await this.post<Created>(path, { customerID: customerId, items }, headers);
    this.creates.push({ customerId, key, status: answer.status, orderId: answer.body.data?.order_id });
    return answer;
  }

  async read({ customerId, orderId }: OrderIds): Promise<Answer> {
    const response = await fetch(`${this.#url}/api/customer/${encodeURIComponent(customerId)}/orders/${orderId}`);
    return { status: response.status, body: (await response.json()) as Envelope };
  }

  async cancel({ customerId, orderId }: OrderIds): Promise<Answer> {
    return this.post(`/api/customer/${encodeURIComponent(customerId)}/orders/${orderId}/cancel`, {});
  }

  /** The customer comes back from Stripe's page to the shop's. */
  async comeBack({ customerId, orderId }: OrderIds): Promise<number> {
    const query = new URLSearchParams({ 'customer-id': customerId, 'order-id': orderId });
    const response = await fetch(`${this.#url}/payment/return?${query.toString()}`);
    await response.body?.cancel();
    return response.status;
  }
}

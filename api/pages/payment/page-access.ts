import type { FastifyReply, FastifyRequest } from 'fastify';
import type { OrderRecord } from '../../../database/orders.ts';
import { type Dependencies, readOrder } from '../../dependencies.ts';
import { ApiError, noSuchOrder } from '../../errors.ts';
import type { OrderLinks } from '../../sign-in/order-links.ts';
import { cookieOf, setCookie } from '../cookies.ts';

/** Stripe's page is open for a day at most. */
const COOKIE_MAX_AGE_SECONDS = 24 * 3600;

export type PageQuery = {
  readonly 'customer-id': string;
  readonly 'order-id': string;
  readonly token?: string | undefined;
};

/** An order that a page may show, and the token that opens it; undefined if links are not signed. */
export type OpenedOrder = { readonly order: OrderRecord; readonly token: string | undefined };

/**
 * Admits anybody with the link to an order. If links are signed, the token opens it; with one that is missing, forged,
 * expired or another order's, the answer is the same as for an order that does not exist.
 *
 * @returns the token; undefined if links are not signed
 * @throws ApiError 2000 if the link does not open the order
 */
export async function checkLink(
  { orderLinks }: Pick<Dependencies, 'orderLinks'>,
  { 'order-id': orderId, token }: PageQuery,
): Promise<string | undefined> {
  if (orderLinks === undefined) return undefined;
  if (token === undefined || (await orderOf(orderLinks, token)) !== orderId) throw noSuchOrder(orderId, 'customer');
  return token;
}

/**
 * Reads the order of a page for anybody with its link.
 *
 * @throws ApiError 2000 if there is no such order, or the link does not open it
 */
export async function openOrder(
  dependencies: Pick<Dependencies, 'findOrder' | 'orderLinks'>,
  query: PageQuery,
): Promise<OpenedOrder> {
  const token = await checkLink(dependencies, query);
  return { order: await readOrder(dependencies, query['customer-id'], query['order-id']), token };
}

async function orderOf(orderLinks: OrderLinks, token: string): Promise<string | undefined> {
  try {
    return await orderLinks.verify(token);
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

/**
 * Keeps the token in a cookie while the customer is at Stripe's page: the return address does not carry it, since what
 * Stripe gets of an order is stored in Temporal's history. Only pages below `/payment` get the cookie, and it alone
 * does not suffice to change anything.
 */
export function keepToken(reply: FastifyReply, isSecure: boolean, { order: { orderId }, token }: OpenedOrder): void {
  if (token === undefined) return;
  setCookie(reply, cookieName(orderId), token, { path: '/payment', maxAgeSeconds: COOKIE_MAX_AGE_SECONDS, isSecure });
}

/** Deletes the cookie of an order that no longer waits for a payment, so that a browser with many orders sends few. */
export function forgetToken(reply: FastifyReply, isSecure: boolean, { order: { orderId }, token }: OpenedOrder): void {
  if (token === undefined) return;
  setCookie(reply, cookieName(orderId), '', { path: '/payment', maxAgeSeconds: 0, isSecure });
}

/** Returns the order's token from the browser's cookie. */
export function keptToken(request: FastifyRequest, orderId: string): string | undefined {
  return cookieOf(request, cookieName(orderId));
}

function cookieName(orderId: string): string {
  return `order-${orderId}`;
}

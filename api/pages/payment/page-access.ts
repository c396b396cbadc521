import type { FastifyReply, FastifyRequest } from 'fastify';
import type { OrderRecord } from '../../../database/orders.ts';
import { type Dependencies, readOrder } from '../../dependencies.ts';
import { ApiError, noSuchOrder } from '../../errors.ts';
import type { OrderLinks } from '../../sign-in/order-links.ts';
import { cookieOf, setCookie } from '../cookies.ts';

/** A customer is at Stripe's page for a day at most. */
const COOKIE_MAX_AGE_SECONDS = 24 * 3600;

export type PageQuery = {
  readonly 'customer-id': string;
  readonly 'order-id': string;
  readonly token?: string | undefined;
};

/** An order that a page may show, and the token that opens it; undefined if links carry none. */
export type OpenedOrder = { readonly order: OrderRecord; readonly token: string | undefined };

/**
 * Lets in whoever has the link to an order. If links are signed, the token opens it; one that is missing, forged, ended or
 * another order's looks as if there were no order.
 *
 * @returns the token that counts; undefined if links carry none
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
 * Reads the order of a page for whoever has its link.
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
 * Keeps the token in the browser while the customer is at Stripe's page, whose way back does not carry it: what Stripe is
 * told of an order is kept in Temporal's history. Only pages below `/payment` see the cookie, and nothing is changed on
 * its word alone.
 */
export function keepToken(reply: FastifyReply, isSecure: boolean, { order: { orderId }, token }: OpenedOrder): void {
  if (token === undefined) return;
  setCookie(reply, cookieName(orderId), token, { path: '/payment', maxAgeSeconds: COOKIE_MAX_AGE_SECONDS, isSecure });
}

/** Lets go of the token of an order that no payment can come back to: a browser with many orders sends few of them. */
export function forgetToken(reply: FastifyReply, isSecure: boolean, { order: { orderId }, token }: OpenedOrder): void {
  if (token === undefined) return;
  setCookie(reply, cookieName(orderId), '', { path: '/payment', maxAgeSeconds: 0, isSecure });
}

/** The token that the browser kept of an order. */
export function keptToken(request: FastifyRequest, orderId: string): string | undefined {
  return cookieOf(request, cookieName(orderId));
}

function cookieName(orderId: string): string {
  return `order-${orderId}`;
}

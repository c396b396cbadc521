import type { FastifyInstance } from 'fastify';
import { onTestFinished } from 'vitest';
import { createOrdersApp } from '../orders-api.ts';
import { createOperatorSessions } from '../pages/operator/sessions.ts';
import { type FakeAnswers, fakeDependencies } from './fakes.ts';

export const CUSTOMER = 'customer-1';

/** The orders API without a server behind it, and short ways to call it; it is closed with the test. */
export async function startApi(
  answers: FakeAnswers = {},
  {
    requestsPerMinute = 1000,
    receiveTimeoutMs,
    operatorToken,
    shopPage = false,
    publicUrl,
  }: {
    requestsPerMinute?: number;
    receiveTimeoutMs?: number;
    operatorToken?: string;
    shopPage?: boolean;
    publicUrl?: string;
  } = {},
) {
  const fakes = fakeDependencies(answers);
  const api: FastifyInstance = await createOrdersApp({
    ...fakes.dependencies,
    checks: {},
    requestsPerMinute,
    trustedProxies: [],
    operatorToken,
    shopPage,
    ...(publicUrl !== undefined && { publicUrl }),
    sessions: createOperatorSessions({ operatorToken, orderLinks: undefined, signIn: undefined }),
    deskReads: fakes.deskReads,
    ...(receiveTimeoutMs !== undefined && { receiveTimeoutMs }),
  });
  onTestFinished(() => api.close());
  return {
    ...fakes,
    api,
    create: (payload: unknown, headers: Record<string, string> = {}, customer = CUSTOMER) =>
      api.inject({
        method: 'POST',
        url: `/api/customer/${encodeURIComponent(customer)}/create`,
        headers: { 'content-type': 'application/json', ...headers },
        payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
      }),
    read: (orderId: string, customer = CUSTOMER, headers = {}) =>
      api.inject({ url: `/api/customer/${customer}/orders/${orderId}`, headers }),
    cancel: (orderId: string) =>
      api.inject({ method: 'POST', url: `/api/customer/${CUSTOMER}/orders/${orderId}/cancel` }),
  };
}

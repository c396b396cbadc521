import type { FastifyRequest } from 'fastify';
import { must } from '../domain/must.ts';

/** Who has sent a request, as far as somebody has signed in. */
export type Actor =
  | { readonly kind: 'customer'; readonly customerId: string }
  /** Whoever has the link to this one order. */
  | { readonly kind: 'link'; readonly orderId: string }
  /** One of the shop's own people; what they do is written down under this name. */
  | { readonly kind: 'operator'; readonly name: string };

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on the routes that somebody has to sign in for; null everywhere else. */
    actor: Actor | null;
  }
}

/** The operator who has sent a request, on the routes of operators. */
export function operatorOf(request: FastifyRequest): string {
  const actor = must(request.actor, 'the operator of a request');
  if (actor.kind !== 'operator') throw new Error(`A ${actor.kind} is on a route of operators`);
  return actor.name;
}

import type { FastifyRequest } from 'fastify';
import { must } from '../domain/must.ts';

/** Who sent a request, once signed in. */
export type Actor =
  | { readonly kind: 'customer'; readonly customerId: string }
  /** Anybody who has the link to this one order. */
  | { readonly kind: 'link'; readonly orderId: string }
  /** An operator of the shop; their changes are recorded under this name. */
  | { readonly kind: 'operator'; readonly name: string };

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on the routes that need sign-in; null on all others. */
    actor: Actor | null;
  }
}

/** Returns the name of the operator who sent a request, on the operators' routes. */
export function operatorOf(request: FastifyRequest): string {
  const actor = must(request.actor, 'the operator of a request');
  if (actor.kind !== 'operator') throw new Error(`A ${actor.kind} reached an operators' route`);
  return actor.name;
}

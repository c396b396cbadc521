import { z } from 'zod';
import { resourceMissing } from './errors.ts';
import type { Account, Cause } from './events.ts';
import * as params from './params.ts';

export type Call = { account: Account; id: string; input: params.FormData; cause: Cause };

export type V1Endpoint = { method: 'GET' | 'POST'; path: string; run: (call: Call) => object };

export const noParams = z.strictObject({});

export const get = (path: string, run: V1Endpoint['run']): V1Endpoint => ({
  method: 'GET',
  path,
  run: (call) => {
    params.parseParams(noParams, call.input);
    return run(call);
  },
});

export const post = (path: string, run: V1Endpoint['run']): V1Endpoint => ({ method: 'POST', path, run });

export const list = <T extends { id: string; created?: number }, S extends z.ZodRawShape>(
  path: string,
  filters: S,
  find: (account: Account, filter: z.output<z.ZodObject<S>>, id: string) => T[],
): V1Endpoint => ({
  method: 'GET',
  path,
  run: ({ account, id, input }) => {
    const page = params.parseParams(z.object(params.listParams), input);
    const own = Object.fromEntries(Object.entries(input).filter(([key]) => !(key in params.listParams)));
    const found = find(account, params.parseParams(z.strictObject(filters), own), id).filter((object) =>
      createdWithin(object.created, page.created),
    );
    return { object: 'list', ...pageOf(found, page), url: path.replace(':id', id) };
  },
});

function createdWithin(created: number | undefined, range: params.CreatedRange | undefined): boolean {
  if (created === undefined || range === undefined) return true;
  const {
    gt = -Infinity,
    gte = -Infinity,
    lt = Infinity,
    lte = Infinity,
  } = range as Record<string, number | undefined>;
  return created > gt && created >= gte && created < lt && created <= lte;
}

type Page = { limit: number; starting_after?: string | undefined; ending_before?: string | undefined };

function pageOf<T extends { id: string }>(all: T[], page: Page): { data: T[]; has_more: boolean } {
  const at = (id: string, param: string) => {
    const index = all.findIndex((object) => object.id === id);
    if (index === -1) throw resourceMissing('object', id, param);
    return index;
  };
  if (page.ending_before !== undefined) {
    const end = at(page.ending_before, 'ending_before');
    const start = Math.max(0, end - page.limit);
    return { data: all.slice(start, end), has_more: start > 0 };
  }
  const start = page.starting_after === undefined ? 0 : at(page.starting_after, 'starting_after') + 1;
  return { data: all.slice(start, start + page.limit), has_more: start + page.limit < all.length };
}

export function found<T>(value: T | undefined, kind: string, id: string): T {
  if (value === undefined) throw resourceMissing(kind, id);
  return value;
}

/** Newest first, as Stripe lists. */
export const newest = <T>(oldestFirst: T[]): T[] => oldestFirst.toReversed();

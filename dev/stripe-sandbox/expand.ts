import { z } from 'zod';
import { invalidRequest } from './errors.ts';
import type { Account } from './events.ts';
import { parseParams, type FormData } from './params.ts';
import { buildLineItem } from './sessions.ts';

const MAX_DEPTH = 4;
const expandParams = z.object({ expand: z.array(z.string()).default([]) });

/** Takes `expand` off a request's parameters: it is known to every endpoint. */
export function splitExpand(input: FormData): { expand: string[]; rest: FormData } {
  const { expand } = parseParams(expandParams, input);
  const { expand: _, ...rest } = input;
  return { expand, rest };
}

/** Puts objects in the place of their ids, as `expand[]` asks. @throws StripeApiError 400 for what can't be expanded */
export function expandObject(account: Account, object: object, paths: readonly string[]): object {
  return paths.reduce((expanded, path) => {
    const parts = path.split('.');
    if (parts.length > MAX_DEPTH) {
      throw invalidRequest(
        `You cannot expand more than ${MAX_DEPTH} levels of a property. Property: ${path}`,
        'expand',
      );
    }
    return expandPath(account, expanded, parts, path);
  }, object);
}

function expandPath(account: Account, object: object, parts: readonly string[], path: string): object {
  const [part = '', ...rest] = parts;
  const value: unknown = expandable(account, object, part) ?? (object as Record<string, unknown>)[part];
  if (value === null) return object;
  if (Array.isArray(value) && part === 'data' && rest.length > 0) {
    return { ...object, data: value.map((item: object) => expandPath(account, item, rest, path)) };
  }
  if (typeof value !== 'object') throw invalidRequest(`This property cannot be expanded (${path}).`, 'expand');
  return { ...object, [part]: rest.length === 0 ? value : expandPath(account, value, rest, path) };
}

function expandable(account: Account, object: object, part: string): object | undefined {
  const fields = object as Record<string, unknown>;
  const id = fields[part];
  const { store } = account;
  if (part === 'payment_intent' && typeof id === 'string') return store.get('paymentIntents', id)?.paymentIntent;
  if ((part === 'latest_charge' || part === 'charge') && typeof id === 'string') return store.get('charges', id);
  if (part === 'review' && typeof id === 'string') return store.get('reviews', id);
  if (part === 'line_items' && fields['object'] === 'checkout.session') {
    const record = store.get('sessions', String(fields['id']));
    if (record === undefined) return undefined;
    return {
      object: 'list',
      data: record.lines.map((line) => buildLineItem(line, record)),
      has_more: false,
      url: `/v1/checkout/sessions/${record.session.id}/line_items`,
    };
  }
  if (part === 'refunds' && fields['object'] === 'charge') {
    const refunds = store.all('refunds').filter((refund) => refund.charge === fields['id']);
    return {
      object: 'list',
      data: refunds.toReversed(),
      has_more: false,
      url: `/v1/charges/${String(fields['id'])}/refunds`,
    };
  }
  return undefined;
}

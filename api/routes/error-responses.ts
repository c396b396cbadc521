import { errorSchema } from '../schemas.ts';

/** The meaning of the HTTP statuses, for the OpenAPI document; the codes are in api/errors.ts. */
const MEANINGS = {
  400: 'errorCode 1000: the request is not valid; data.fields names each field and its problem.',
  401: 'errorCode 1004: the bearer token is missing or wrong.',
  403: 'errorCode 1005: signed in, but not allowed to do this.',
  404: 'errorCode 2000: there is no such order of this customer. errorCode 3003: there is no such item.',
  409: 'errorCode 3000: out of stock; data.items says how many are available. errorCode 2001: too late to cancel. errorCode 2004: nothing to refund. errorCode 2005: not waiting to be shipped. errorCode 3002: the item already exists.',
  413: 'errorCode 1001: the body is over 64 KB.',
  415: 'errorCode 1002: the body is not JSON.',
  422: 'errorCode 3001: an unknown item, or one that is not on sale. errorCode 2002: the idempotency key was used before with a different request.',
  429: 'errorCode 1006: too many requests; the header Retry-After says how long to wait. errorCode 2003: too many unpaid orders; data says how many are allowed and open.',
  500: 'errorCode 5000: an internal error.',
  503: 'errorCode 5001: unavailable at the moment; data.order_id if the order may exist.',
} as const;

type ErrorStatus = keyof typeof MEANINGS;

/** Returns the error answers of a route, for its schema. */
export function errorResponses(...statuses: readonly ErrorStatus[]) {
  return Object.fromEntries(statuses.map((status) => [status, errorSchema.describe(MEANINGS[status])]));
}

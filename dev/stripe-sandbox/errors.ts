import type { ZodError } from 'zod';

type StripeErrorType =
  | 'api_error'
  | 'authentication_error'
  | 'card_error'
  | 'idempotency_error'
  | 'invalid_request_error';

export type StripeErrorDetails = {
  type: StripeErrorType;
  message: string;
  code?: string | undefined;
  decline_code?: string | undefined;
  param?: string | undefined;
  charge?: string | undefined;
  payment_intent?: object | undefined;
};

/** An answer of Stripe's API that is not 2xx, with the envelope that its SDKs read. */
export class StripeApiError extends Error {
  override readonly name = 'StripeApiError';
  readonly status: number;
  readonly details: StripeErrorDetails;
  /**
   * Whether the endpoint had begun its work. Stripe keeps such an answer under its idempotency key; an answer to a
   * request that failed validation is not kept, so the key can come again with the corrected request.
   */
  readonly executed: boolean;

  constructor(status: number, details: StripeErrorDetails, executed = false) {
    super(details.message);
    this.status = status;
    this.details = details;
    this.executed = executed;
  }

  get envelope(): { error: StripeErrorDetails } {
    return { error: this.details };
  }
}

/** 400 for a request that Stripe refuses before it does anything. */
export function invalidRequest(message: string, param?: string, code?: string): StripeApiError {
  return new StripeApiError(400, { type: 'invalid_request_error', message, code, param });
}

/** 400 for an amount that its currency does not allow; the code is the one that Stripe answers for ISK. */
export function notChargeable(why: string, param?: string): StripeApiError {
  const message = `Invalid amount: ${why}. See https://stripe.com/docs/currencies#special-cases for more information.`;
  return invalidRequest(message, param, 'invalid_charge_amount_no_decimal_compatible');
}

/** 400 for a request that was right in form but cannot be done in the state that its object is in. */
export function refused(message: string, code?: string, more: Partial<StripeErrorDetails> = {}): StripeApiError {
  return new StripeApiError(400, { type: 'invalid_request_error', message, code, ...more }, true);
}

/** 404 for an id that names nothing. `kind` is the field's name as Stripe writes it, `payment_intent` for example. */
export function resourceMissing(kind: string, id: string, param = 'id'): StripeApiError {
  return new StripeApiError(404, {
    type: 'invalid_request_error',
    message: `No such ${kind}: '${id}'`,
    code: 'resource_missing',
    param,
  });
}

/** Form names as Stripe writes them: `line_items[0][quantity]`. */
function paramName(path: readonly PropertyKey[]): string {
  return path.map((part, index) => (index === 0 ? String(part) : `[${String(part)}]`)).join('');
}

/** Maps the first problem that zod found to the error that Stripe answers for it. */
export function fromZodError(error: ZodError): StripeApiError {
  const issue = error.issues[0];
  if (issue === undefined) return invalidRequest('Invalid request.');
  if (issue.code === 'unrecognized_keys') {
    const param = paramName([...issue.path, issue.keys[0] ?? '']);
    const note =
      'This is the local Stripe sandbox: it knows only the parameters that dev/stripe-sandbox/README.md lists.';
    return invalidRequest(`Received unknown parameter: ${param}. ${note}`, param, 'parameter_unknown');
  }
  const param = paramName(issue.path);
  if (issue.code === 'invalid_type' && issue.input === undefined) {
    return invalidRequest(`Missing required param: ${param}.`, param, 'parameter_missing');
  }
  if (issue.code === 'custom' && typeof issue.params?.['code'] === 'string') {
    return invalidRequest(issue.message, param, issue.params['code']);
  }
  return invalidRequest(`Invalid ${param}: ${issue.message}`, param);
}

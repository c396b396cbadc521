import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { Stripe } from 'stripe';
import { withSpan } from './spans.ts';

/** The parts of a path that are ids: they would make a name of its own for each order. */
const ID_IN_PATH = /\/(?:cs|pi|re|ch|evt|cus|prod|price)_[^/]+/g;

/** Stripe's own HTTP client, with a span for each call: `stripe POST /v1/checkout/sessions`. */
export function createTracedHttpClient(): Stripe.HttpClient {
  const client = Stripe.createNodeHttpClient();
  const send = client.makeRequest.bind(client);
  client.makeRequest = async (...request) => {
    const [, , path, method] = request;
    const template = (path.split('?', 1)[0] ?? path).replace(ID_IN_PATH, '/{id}');
    const attributes = { 'http.request.method': method, 'url.template': template };
    return withSpan(`stripe ${method} ${template}`, { kind: SpanKind.CLIENT, attributes }, async (span) => {
      const response = await send(...request);
      const headers = response.getHeaders();
      const status = response.getStatusCode();
      span.setAttribute('http.response.status_code', status);
      if (status >= 400) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: `Stripe answered ${status}` });
      }
      if (headers['request-id'] !== undefined) {
        span.setAttribute('stripe.request_id', headers['request-id']);
      }
      if (headers['idempotent-replayed'] !== undefined) {
        span.setAttribute('stripe.idempotent_replayed', true);
      }
      return response;
    });
  };
  return client;
}

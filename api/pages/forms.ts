import type { FastifyInstance, FastifyRequest } from 'fastify';

/** Has the routes of this app take what forms send, and nothing else; a field that is sent twice counts once, with its last value. */
export function takeForms(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(body.toString()))),
  );
}

/**
 * Whether another site made the browser send this form. Browsers say so in Sec-Fetch-Site; those that do not send an
 * Origin, which is `null` from our own pages, since these tell nobody where a request comes from.
 */
export function isFromElsewhere({ headers }: FastifyRequest, publicUrl: string): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin';
  const { origin } = headers;
  return origin !== undefined && origin !== 'null' && origin !== new URL(publicUrl).origin;
}

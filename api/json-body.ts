import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ApiError, invalidRequest } from './errors.ts';

const BYTE_ORDER_MARK = '\uFEFF';

/**
 * Accepts only JSON, and reports where a body is not valid JSON. An empty body counts as none, whatever its content
 * type: `curl -d ''` sends it as a form, and many clients as JSON.
 */
export function takeOnlyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    const text = withoutByteOrderMark(body.toString());
    if (text === '' || request.is404) return done(null, undefined);
    const problem = jsonProblem(text);
    if (problem === undefined) return parse(request, text, done);
    return done(invalidRequest([{ path: 'body', problem }]));
  });
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0 || request.is404) return done(null, undefined);
    return done(
      new ApiError('notJson', 'The body is not JSON; send it with the header Content-Type: application/json'),
    );
  });
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.body === undefined && needsBody(request)) {
      return done(invalidRequest([{ path: 'body', problem: 'is empty, but a JSON object is expected' }]));
    }
    return done();
  });
}

function needsBody({ routeOptions: { schema } }: FastifyRequest): boolean {
  return schema?.body instanceof z.ZodType && !schema.body.safeParse(null).success;
}

/** The byte order mark, which editors on Windows put before a text; a parser may ignore it (RFC 8259, section 8.1). */
function withoutByteOrderMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}

/**
 * Returns what is wrong with a text, and where if that is known. V8 only sometimes reports a position; a guess would
 * point people to the wrong line.
 *
 * @returns undefined if the text is JSON
 */
function jsonProblem(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : '';
    if (reason === 'Unexpected end of JSON input') {
      return `is not JSON: it ends too early, at ${placeOf(text, text.length)}`;
    }
    const position = / in JSON at position (\d+)/.exec(reason)?.[1];
    if (position !== undefined) return `is not JSON: something is wrong at ${placeOf(text, Number(position))}`;
    const token = /^Unexpected token '(.+?)', /su.exec(reason)?.[1];
    // The position of a character that occurs only once is certain.
    if (token !== undefined && text.split(token).length === 2) {
      return `is not JSON: something is wrong at ${placeOf(text, text.indexOf(token))}`;
    }
    return token === undefined ? 'is not JSON' : `is not JSON: it has ${JSON.stringify(token)} in the wrong place`;
  }
}

function placeOf(text: string, position: number): string {
  const lines = text.slice(0, position).split('\n');
  return `line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`;
}

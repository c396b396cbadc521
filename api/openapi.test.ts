import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FastifyInstance } from 'fastify';
import { createOrdersApp } from './orders-api.ts';
import { fakeDependencies } from './testing/fakes.ts';

/** Served, and not for clients: health checks, what the pages load, and the document itself. */
const UNDOCUMENTED = /^\/(healthz|readyz|assets\/.*|docs.*)$/;

describe('the OpenAPI document', () => {
  const served: string[] = [];
  let app: FastifyInstance;
  beforeAll(async () => {
    app = await createOrdersApp({
      ...fakeDependencies().dependencies,
      checks: {},
      requestsPerMinute: 1000,
      trustedProxies: [],
    });
    await app.ready();
    for (const line of app.printRoutes({ commonPrefix: false, includeHooks: false }).split('\n')) {
      served.push(line);
    }
  });
  afterAll(() => app.close());

  test('has the routes that are served, no more and no fewer', () => {
    const routes = servedRoutes(served).filter((route) => !UNDOCUMENTED.test(route.split(' ')[1] ?? ''));
    const { paths = {} } = app.swagger();
    const documented = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations ?? {}).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const shown = documented.filter((route) => !UNDOCUMENTED.test(route.split(' ')[1] ?? ''));
    expect(shown.sort()).toEqual(routes.sort());
    expect(shown.length).toBeGreaterThanOrEqual(6);
  });

  test('is shown to people at /docs', async () => {
    const response = await app.inject({ url: '/docs/' });
    expect(response.statusCode).toBe(200);
    const document = await app.inject({ url: '/docs/json' });
    expect(document.json()).toMatchObject({ openapi: '3.1.0', info: { title: 'Orders API' } });
  });
});

/** The routes of fastify's own tree, `GET /a/{id}`; a HEAD goes with each GET. */
function servedRoutes(lines: readonly string[]): string[] {
  const path: string[] = [];
  return lines.flatMap((line) => {
    const match = /^([│ ]*)[├└]── (\S*?)(?: \((.+)\))?$/.exec(line);
    if (match === null) return [];
    const [, indent = '', segment = '', methods = ''] = match;
    path.length = indent.length / 4;
    path.push(segment);
    const url = path.join('').replace(/:(\w+)/g, '{$1}');
    return methods === ''
      ? []
      : methods
          .split(', ')
          .filter((method) => method !== 'HEAD')
          .map((method) => `${method} ${url}`);
  });
}

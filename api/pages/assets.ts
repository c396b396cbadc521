import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';

const MAX_AGE_SECONDS = 365 * 24 * 3600;
const CONTENT_TYPES = { css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8' };

/** Files that pages load. The address changes with the content, so that browsers may keep them for good. */
export const assets = {
  base: asset('base', 'css'),
  customer: asset('customer', 'css'),
  desk: asset('desk', 'css'),
  payment: asset('payment', 'js'),
  shop: asset('shop', 'js'),
  times: asset('times', 'js'),
};

export type Asset = ReturnType<typeof asset>;

function asset(name: string, extension: keyof typeof CONTENT_TYPES) {
  const file = `${name}.${extension}`;
  const content = readFileSync(new URL(`assets/${file}`, import.meta.url), 'utf8');
  const version = createHash('sha256').update(content).digest('hex').slice(0, 12);
  const path = `/assets/${file}`;
  return { path, url: `${path}?v=${version}`, contentType: CONTENT_TYPES[extension], content };
}

/** Serves the files that pages load. */
export async function assetRoutes(app: FastifyInstance): Promise<void> {
  for (const { path, contentType, content } of Object.values(assets)) {
    app.get(path, { schema: { hide: true } }, async (_request, reply) =>
      reply.type(contentType).header('cache-control', `public, max-age=${MAX_AGE_SECONDS}, immutable`).send(content),
    );
  }
}
